//! `import`: takes over the apps of a running pm2, one by one. An app is checked before anything is done to it. It is
//! stopped in pm2 before it is started here, and started in pm2 again if that fails. So two copies of it never run at
//! the same time, also if this command is killed on the way and called again.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use os_process::ProcessId;
use procfile_exchange::pm2::Declaration;
use ps_cli::exit::Outcome;
use serde::Deserialize;
use serde_json::Value;

use crate::another::Another;
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
    /// Whether it is pm2 0.x, which has its home in `.pm2` of `HOME`, and acts on the first id alone.
    is_old: bool,
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
    let left = Taking::left(&session.home)?;
    if let Some(left) = left.as_ref().filter(|left| left.home != other.home) {
        bail!(
            "an import was killed while it took over {}: call ps-pm2 import {} first",
            left.name,
            left.home.display()
        );
    }
    let (entries, is_alone) = wanted(other.list()?, chosen.as_ref(), left.as_ref());
    let processes: Vec<(u64, ProcessId)> =
        entries.iter().filter_map(|entry| Some((entry.pm_id, ProcessId::of(entry.pid)?))).collect();
    let mut is_whole = true;
    let keys = |entry: &Entry| (entry.pm_id, entry.pm2_env.0.clone());
    let known: Vec<(u64, Vec<(String, Value)>)> = entries.iter().map(keys).collect();
    let mut groups = resurrect::groups(entries.into_iter().map(|entry| entry.pm2_env).collect());
    let is_left = |group: &Group| {
        let has = |left: &Taking| group.ids.iter().any(|id| left.of(*id).is_some());
        left.as_ref().is_some_and(has)
    };
    // What was begun is ended before anything else is.
    groups.sort_by_key(|group| !is_left(group));
    for group in groups {
        let name = group.declaration.text("name")?.unwrap_or_else(|| group.script.clone());
        let meant = |(id, _): &&(u64, ProcessId)| group.ids.contains(id);
        let running: Vec<(u64, ProcessId)> = processes.iter().filter(meant).cloned().collect();
        let instances = known.iter().filter(|(id, _)| group.ids.contains(id)).cloned().collect();
        let taking = Taking { home: other.home.clone(), name: name.clone(), instances };
        match take(session, &mut book, &other, (&group, &running), (&taking, is_left(&group))) {
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

/// Takes over an app, of which these instances run. The flag says that an earlier command was killed while it took over this app; then what
/// there may be of it here is begun anew.
fn take(
    session: &Session,
    book: &mut Book,
    other: &Other,
    (group, running): (&Group, &[(u64, ProcessId)]),
    (taking, is_left): (&Taking, bool),
) -> Result<()> {
    let judged = group.judge(session)?;
    if book.has(&judged.app) && !is_left {
        bail!("there is one here already: delete one of them");
    }
    let meant = group.ids.iter().zip(&group.stopped).filter(|(_, is_stopped)| !**is_stopped);
    let meant: Vec<u64> = meant.map(|(id, _)| *id).collect();
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

/// What is to be taken over of this list: what was chosen, and in any case what an earlier command had begun with, which was killed then. Its
/// instances are what they were before that. Also whether this is all that there is.
fn wanted(list: Vec<Entry>, chosen: Option<&BTreeSet<u64>>, left: Option<&Taking>) -> (Vec<Entry>, bool) {
    let (count, mut wanted) = (list.len(), Vec::new());
    for mut entry in list {
        let name = entry.pm2_env.text("name").ok().flatten().unwrap_or_default();
        let keys = left.filter(|left| left.name == name).and_then(|left| left.of(entry.pm_id));
        let is_meant = keys.is_some() || chosen.is_none_or(|chosen| chosen.contains(&entry.pm_id));
        if let Some(keys) = keys {
            entry.pm2_env = Declaration(keys.to_vec());
        }
        if is_meant {
            wanted.push(entry);
        }
    }
    let is_all = wanted.len() == count;
    (wanted, is_all)
}

impl Other {
    /// The program `pm2` that is not this one. A pm2 that does not run is not started.
    fn find(home: PathBuf) -> Result<Self> {
        let another = Another::in_home(&home).with_context(|| {
            format!("no pm2 runs in {}: ps-pm2 resurrect brings back what one has dumped", home.display())
        })?;
        let own = os_process::sister("ps-pm2").and_then(|own| own.canonicalize().ok());
        let own = own.context("ps-pm2 is not where it was started: install it with the other programs")?;
        let path = env::var("PATH").unwrap_or_default();
        let program = interpreter::other_than(&own, "pm2", &path);
        let program = program.context("pm2 runs, but there is no program pm2 in PATH that could be asked")?;
        Ok(Self { program, home, is_old: !another.has_socket })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env("PM2_HOME", &self.home).stdin(Stdio::null());
        if let Some(user) = self.home.parent().filter(|_| self.is_old) {
            command.env("HOME", user);
        }
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
        let at_once = if self.is_old { 1 } else { ids.len() };
        ids.chunks(at_once).try_for_each(|ids| self.say_once(verb, ids))
    }

    fn say_once(&self, verb: &str, ids: &[u64]) -> Result<()> {
        let ids = ids.iter().map(u64::to_string);
        let said = self.command().arg(verb).args(ids).output().with_context(|| format!("run pm2 {verb}"))?;
        if !said.status.success() {
            let why = String::from_utf8_lossy(&said.stderr);
            bail!("pm2 {verb} has failed ({}): {}", said.status, why.trim());
        }
        Ok(())
    }
}
