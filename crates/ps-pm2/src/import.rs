//! `import`: takes over the apps of a running pm2, one by one. An app is checked before anything is done to it. It is
//! stopped in pm2 before it is started here, and started in pm2 again if that fails. So two copies of it never run at
//! the same time.

use std::env;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use os_process::ProcessId;
use procfile_exchange::pm2::Declaration;
use ps_cli::exit::Outcome;
use serde::Deserialize;

use crate::book::Book;
use crate::fleet;
use crate::interpreter;
use crate::resurrect::{self, Group};
use crate::say;
use crate::session::Session;
use crate::table;

/// Where pm2's daemon listens, in its home.
const SOCKET: &str = "rpc.sock";
/// How long a process may outlive what pm2 says of it.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(20);

/// An entry of `pm2 jlist`.
#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(default)]
    pid: u32,
    pm_id: u64,
    pm2_env: Declaration,
}

/// A pm2 that runs.
#[derive(Debug)]
struct Other {
    program: PathBuf,
    home: PathBuf,
}

/// Takes everything over that can be. The word, if there is one, is the home of that pm2.
pub(crate) fn run(session: &Session) -> Result<Outcome> {
    let home = session.subjects().first().map(|word| session.path(Path::new(word)));
    let other = Other::find(home.unwrap_or_else(|| session.home.directory().to_owned()))?;
    let _lock = session.home.lock()?;
    let mut book = Book::read(&session.home)?;
    let entries = other.list()?;
    let processes: Vec<(u64, ProcessId)> =
        entries.iter().filter_map(|entry| Some((entry.pm_id, ProcessId::of(entry.pid)?))).collect();
    let mut is_whole = true;
    for group in resurrect::groups(entries.into_iter().map(|entry| entry.pm2_env).collect()) {
        let name = group.declaration.text("name")?.unwrap_or_else(|| group.script.clone());
        let meant = |(id, _): &&(u64, ProcessId)| group.ids.contains(id);
        let running: Vec<(u64, ProcessId)> = processes.iter().filter(meant).cloned().collect();
        match take(session, &mut book, &other, &group, &running) {
            Ok(()) => say::fact(format_args!("{name} is taken over"))?,
            Err(why) => {
                is_whole = false;
                say::error(format_args!("{name} stays where it is: {why:#}"));
            }
        }
    }
    table::print_all(session)?;
    if is_whole {
        say::warning(format_args!(
            "{} has no app any more: {0} unstartup and {0} kill end it, and ps-pm2 save writes what is to come back at boot",
            other.program.display()
        ));
    }
    Ok(if is_whole { Outcome::Done } else { Outcome::No })
}

fn take(
    session: &Session,
    book: &mut Book,
    other: &Other,
    group: &Group,
    running: &[(u64, ProcessId)],
) -> Result<()> {
    let judged = group.judge(session)?;
    if book.has(&judged.app) {
        bail!("there is one here already: delete one of them");
    }
    let ids: Vec<u64> = running.iter().map(|(id, _)| *id).collect();
    let stopped = other.say("stop", &ids).and_then(|()| await_ends(running));
    let taken = stopped.and_then(|()| fleet::launch(&session.home, book, &judged, &group.stopped_slots()));
    if let Err(why) = taken {
        other.say("restart", &ids).with_context(|| format!("{why:#}; start it there again"))?;
        return Err(why);
    }
    other.say("delete", &group.ids)
}

fn await_ends(running: &[(u64, ProcessId)]) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    for (id, process) in running {
        while process.is_alive() {
            if Instant::now() > deadline {
                bail!("its process {} (id {id}) does not end", process.pid);
            }
            thread::sleep(LOOK);
        }
    }
    Ok(())
}

impl Other {
    /// The program `pm2` that is not this one. A pm2 that does not run is not started.
    fn find(home: PathBuf) -> Result<Self> {
        if UnixStream::connect(home.join(SOCKET)).is_err() {
            bail!("no pm2 runs in {}: ps-pm2 resurrect brings back what one has dumped", home.display());
        }
        let own = os_process::sister("ps-pm2").and_then(|own| own.canonicalize().ok());
        let own = own.context("ps-pm2 is not where it was started: install it with the other programs")?;
        let path = env::var("PATH").unwrap_or_default();
        let program = interpreter::other_than(&own, "pm2", &path);
        let program = program.context("pm2 runs, but there is no program pm2 in PATH that could be asked")?;
        Ok(Self { program, home })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env("PM2_HOME", &self.home).stdin(Stdio::null());
        command
    }

    fn list(&self) -> Result<Vec<Entry>> {
        let said = self.command().arg("jlist").output().context("run pm2 jlist")?;
        // What pm2 says of itself may come first.
        let list = said.stdout.split(|byte| *byte == b'\n').rfind(|line| line.starts_with(b"["));
        let entries = serde_json::from_slice(list.unwrap_or_default());
        entries.with_context(|| format!("{} jlist says no list of apps", self.program.display()))
    }

    fn say(&self, verb: &str, ids: &[u64]) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let ids = ids.iter().map(u64::to_string);
        let said = self.command().arg(verb).args(ids).output().with_context(|| format!("run pm2 {verb}"))?;
        if !said.status.success() {
            let why = String::from_utf8_lossy(&said.stderr);
            bail!("pm2 {verb} has failed ({}): {}", said.status, why.trim());
        }
        Ok(())
    }
}
