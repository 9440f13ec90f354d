//! `import`: takes over the apps of a running pm2, one by one. An app is checked before anything is done to it. It is
//! stopped in pm2 before it is started here, and started in pm2 again if that fails. So two copies of it never run at
//! the same time, also if this command is killed on the way and called again.

use std::collections::BTreeSet;
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
use crate::load;
use crate::resurrect::{self, Group};
use crate::say;
use crate::session::Session;
use crate::table;
use crate::taking::Taking;

/// The word for a list on stdin.
const STDIN: &str = "-";
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

/// Takes everything over that can be. One word may be the home of that pm2, and `-` says that stdin has a list of `pm2 jlist`: then only
/// what is in that list is taken over, whatever else the list says of it.
pub(crate) fn run(session: &Session) -> Result<Outcome> {
    let home = session.subjects().iter().find(|word| *word != STDIN);
    let home = home.map(|word| session.path(Path::new(word)));
    let chosen = chosen(session)?;
    let other = Other::find(home.unwrap_or_else(|| session.home.directory().to_owned()))?;
    let _lock = session.home.lock()?;
    let mut book = Book::read(&session.home)?;
    let mut entries = other.list()?;
    let is_alone =
        chosen.as_ref().is_none_or(|chosen| entries.iter().all(|entry| chosen.contains(&entry.pm_id)));
    entries.retain(|entry| chosen.as_ref().is_none_or(|chosen| chosen.contains(&entry.pm_id)));
    let left = Taking::left(&session.home)?;
    for entry in &mut entries {
        entry.run_on(&other.home, left.as_ref());
    }
    let processes: Vec<(u64, ProcessId)> =
        entries.iter().filter_map(|entry| Some((entry.pm_id, ProcessId::of(entry.pid)?))).collect();
    let mut is_whole = true;
    for group in resurrect::groups(entries.into_iter().map(|entry| entry.pm2_env).collect()) {
        let name = group.declaration.text("name")?.unwrap_or_else(|| group.script.clone());
        let meant = |(id, _): &&(u64, ProcessId)| group.ids.contains(id);
        let running: Vec<(u64, ProcessId)> = processes.iter().filter(meant).cloned().collect();
        let is_left =
            left.as_ref().is_some_and(|left| group.ids.iter().any(|id| left.has(&other.home, &name, *id)));
        match take(session, &mut book, &other, (&group, &name, &running), is_left) {
            Ok(()) => say::fact(format_args!("{name} is taken over"))?,
            Err(why) => {
                is_whole = false;
                say::error(format_args!("{name} stays where it is: {why:#}"));
            }
        }
    }
    table::print_all(session)?;
    if is_whole && is_alone {
        say::warning(format_args!(
            "{} has no app any more: {0} unstartup and {0} kill end it, and ps-pm2 save writes what is to come back at boot",
            other.program.display()
        ));
    }
    Ok(if is_whole { Outcome::Done } else { Outcome::No })
}

/// The ids in the list on stdin, if there is one.
fn chosen(session: &Session) -> Result<Option<BTreeSet<u64>>> {
    if !session.subjects().iter().any(|word| word == STDIN) {
        return Ok(None);
    }
    let entries = entries(&load::stdin()?).context("stdin has no list of apps: pm2 jlist prints one")?;
    Ok(Some(entries.iter().map(|entry| entry.pm_id).collect()))
}

/// Takes over an app, of which these instances run. `is_left`: an earlier command was killed while it took over this one, and what there may
/// be of it here is begun anew.
fn take(
    session: &Session,
    book: &mut Book,
    other: &Other,
    (group, name, running): (&Group, &str, &[(u64, ProcessId)]),
    is_left: bool,
) -> Result<()> {
    let judged = group.judge(session)?;
    if book.has(&judged.app) && !is_left {
        bail!("there is one here already: delete one of them");
    }
    let meant = group.ids.iter().zip(&group.stopped).filter(|(_, is_stopped)| !**is_stopped);
    let meant: Vec<u64> = meant.map(|(id, _)| *id).collect();
    let (ids, running_ids) = (group.ids.clone(), meant.clone());
    let taking = Taking { home: other.home.clone(), name: name.to_owned(), ids, running: running_ids };
    taking.begin(&session.home)?;
    if is_left {
        let ids = book.ids_of(&judged.app);
        fleet::delete(&session.home, book, &ids)?;
    }
    let ids: Vec<u64> = running.iter().map(|(id, _)| *id).collect();
    let stopped = other.say("stop", &ids).and_then(|()| await_ends(running));
    let taken = stopped.and_then(|()| fleet::launch(&session.home, book, &judged, &group.stopped_slots()));
    if let Err(why) = taken {
        other.say("restart", &meant).with_context(|| format!("{why:#}; start it there again"))?;
        Taking::end(&session.home)?;
        return Err(why);
    }
    other.say("delete", &group.ids)?;
    Taking::end(&session.home)
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

/// The list in what `pm2 jlist` prints. What pm2 says of itself may come first.
fn entries(printed: &[u8]) -> Result<Vec<Entry>, serde_json::Error> {
    let whole = serde_json::from_slice(printed);
    whole.or_else(|_| {
        let list = printed.split(|byte| *byte == b'\n').rfind(|line| line.starts_with(b"["));
        serde_json::from_slice(list.unwrap_or_default())
    })
}

impl Entry {
    /// An instance that only an earlier command has stopped, which was killed then, is to run.
    fn run_on(&mut self, home: &Path, left: Option<&Taking>) {
        let name = self.pm2_env.text("name").ok().flatten().unwrap_or_default();
        let is_left = left.is_some_and(|left| left.ran(home, &name, self.pm_id));
        if is_left {
            self.pm2_env.set("status", "online".into());
        }
    }
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
        entries(&said.stdout)
            .with_context(|| format!("{} jlist says no list of apps", self.program.display()))
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
