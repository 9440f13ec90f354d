//! A guard ends the processes of a foreground that was killed. The guard is a second process of this program, in a session
//! of its own. It blocks reading a pipe whose writing end only the foreground has. When the foreground dies, in whatever
//! way, the read returns. A foreground that exits normally tells its guard to exit.

use std::env;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use ps_cli::exit::Outcome;
use ps_supervisor::{Error, Status, Supervisor};

use super::owner;

const GRACE: Duration = Duration::from_secs(10);
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(50);

/// The guard of this foreground.
#[derive(Debug)]
pub(crate) struct Guard {
    child: Child,
    pipe: Option<ChildStdin>,
}

impl Guard {
    /// Starts the guard of a state directory.
    pub(crate) fn start(state: &Path) -> Result<Self> {
        let mut child = command(state)?.stdin(Stdio::piped()).spawn().context("start the guard")?;
        let pipe = child.stdin.take();
        Ok(Self { child, pipe })
    }

    /// Has the guard end all processes, and waits for it.
    pub(crate) fn call(mut self) {
        self.pipe = None;
        let _ = self.child.wait();
    }

    /// Tells the guard to exit: no process is left.
    pub(crate) fn dismiss(mut self) {
        if let Some(mut pipe) = self.pipe.take() {
            // The guard may have been killed.
            let _ = pipe.write_all(b".");
        }
        // The supervisor, which reaps all children, may have reaped it already.
        let _ = self.child.wait();
    }
}

/// Ends the processes that a dead foreground left, and waits for that.
pub(crate) fn sweep(state: &Path) {
    // Processes that cannot be ended now are found again at the next start.
    let _ = command(state).and_then(|mut command| Ok(command.stdin(Stdio::null()).status()?));
}

/// The guard's own process.
pub(crate) fn guard(state: &Path) -> Result<Outcome> {
    // The guard must not get signals of the terminal. This fails only if it is in a session of its own already.
    let _ = rustix::process::setsid();
    let mut byte = [0];
    let is_dismissed = matches!(io::stdin().read(&mut byte), Ok(n) if n > 0);
    if is_dismissed || owner::read(state).is_none() {
        return Ok(Outcome::Done);
    }
    let Some(left) = end(state)? else { return Ok(Outcome::Done) };
    let name = |status: &Status| match &status.process {
        Some(process) => format!("{} (pid {})", status.slot, process.pid),
        None => status.slot.to_string(),
    };
    if !left.is_empty() {
        let names: Vec<String> = left.iter().map(name).collect();
        let _ = writeln!(
            io::stderr().lock(),
            "ps-supervise: ended {}, left behind by a foreground that was killed",
            names.join(", ")
        );
    }
    owner::remove(state).with_context(|| format!("remove {}", state.display()))?;
    Ok(Outcome::Done)
}

/// Ends the processes that are left and returns their statuses; `None` if another process is ending them. A foreground that
/// is starting holds the lock for a moment to test it; this function waits for that.
fn end(state: &Path) -> Result<Option<Vec<Status>>> {
    for _ in 0..TRIES {
        match Supervisor::end_what_is_left(state, GRACE) {
            Err(Error::AlreadySupervised { .. }) => thread::sleep(PAUSE),
            left => return Ok(left.map(Some)?),
        }
    }
    Ok(None)
}

fn command(state: &Path) -> Result<Command> {
    let program = env::current_exe().context("find the program itself")?;
    let mut command = Command::new(program);
    command.arg("--guard").arg(state).current_dir("/").stdout(Stdio::null());
    Ok(command)
}
