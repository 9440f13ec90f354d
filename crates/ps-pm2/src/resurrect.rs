//! `resurrect`: starts the apps of a dump, which this program or pm2 wrote. Running apps are left alone, and stopped
//! ones stay stopped.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use durable::ReadError;
use procfile_exchange::pm2::{self, Declaration, OF_INSTANCE};
use ps_cli::exit::Outcome;
use serde_json::Value;

use crate::book::Book;
use crate::declared::{self, Declared};
use crate::dump::FILE;
use crate::fleet;
use crate::say;
use crate::session::Session;
use crate::table;

const MAX_BYTES: u64 = 256 << 20;
/// Where later versions of pm2 keep the dump before the last one.
const EARLIER: &str = "dump.pm2.bak";

/// Brings it back.
pub(crate) fn run(session: &Session) -> Result<Outcome> {
    say::fact("Resurrecting")?;
    say::plain("Processing......")?;
    let _lock = session.home.lock()?;
    let mut book = Book::read(&session.home)?;
    for group in groups(read(session)?) {
        bring(session, &mut book, &group)?;
    }
    table::print_all(session)?;
    Ok(Outcome::Done)
}

/// The dump; where it is missing or damaged, the one before it, which later versions of pm2 keep beside it.
fn read(session: &Session) -> Result<Vec<Declaration>> {
    let home = session.home.directory();
    let read = read_file(&home.join(FILE));
    let Err(why) = &read else { return read };
    let earlier = home.join(EARLIER);
    match read_file(&earlier) {
        Ok(entries) => {
            say::warning(format_args!("{why:#}; {} is taken in its place", earlier.display()));
            Ok(entries)
        }
        Err(_) => read,
    }
}

fn read_file(path: &Path) -> Result<Vec<Declaration>> {
    let bytes = match durable::state(path, MAX_BYTES) {
        Ok(bytes) => bytes,
        Err(ReadError::Missing) => bail!("{} is not there: ps-pm2 dump writes it", path.display()),
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    let read = pm2::parse(&bytes);
    Ok(read.with_context(|| format!("{} is damaged, dump again", path.display()))?.0)
}

/// Instances of one app, of which pm2 has an entry each.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) declaration: Declaration,
    pub(crate) script: String,
    /// Whether each of them was stopped.
    pub(crate) stopped: Vec<bool>,
    /// pm2's ids, which a dump of 0.7.2 does not have.
    pub(crate) ids: Vec<u64>,
    /// The files in which pm2 has noted the pids of their processes.
    pid_files: Vec<PathBuf>,
}

/// Entries that differ only in what belongs to an instance, or in what commands of pm2 change in one instance, are one app. They need not follow each other: the list is in the order of the
/// ids, and `scale` gives a new instance an id behind those of other apps.
pub(crate) fn groups(entries: Vec<Declaration>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for mut entry in entries {
        let is_stopped = entry.get("status").is_some_and(|status| status == "stopped");
        let id = entry.get("pm_id").map(Value::as_u64);
        entry.0.retain(|(key, _)| !OF_INSTANCE.contains(&key.as_str()));
        let id = id.flatten();
        let pid_file = entry.text("pid_file").ok().flatten().map(PathBuf::from);
        with_own_directory(&mut entry);
        for (key, ending) in
            [("pm_out_log_path", ".log"), ("pm_err_log_path", ".log"), ("pm_pid_path", ".pid")]
        {
            if let Some(path) = entry.0.iter_mut().find(|(name, _)| name == key).map(|(_, value)| value) {
                without_id(path, ending);
            }
        }
        if let Some(group) = groups.iter_mut().find(|group| is_same(&group.declaration, &entry)) {
            // What pm2 has stopped has lost a part of its settings.
            if !is_stopped && group.stopped.iter().all(|is_stopped| *is_stopped) {
                group.declaration = entry;
            }
            group.stopped.push(is_stopped);
            group.ids.extend(id);
            group.pid_files.extend(pid_file);
            continue;
        }
        let script = entry.text("script").ok().flatten().unwrap_or_default();
        groups.push(Group {
            declaration: entry,
            script,
            stopped: vec![is_stopped],
            ids: id.into_iter().collect(),
            pid_files: pid_file.into_iter().collect(),
        });
    }
    groups
}

/// What commands of pm2 change in the one instance that they are about: `stop` sets `watch` to false, and `restart` sets `merge_logs`.
const OF_COMMANDS: [&str; 2] = ["watch", "merge_logs"];

/// Whether two entries are instances of one app.
fn is_same(one: &Declaration, other: &Declaration) -> bool {
    let asks = |(key, value): &&(String, Value)| {
        !matches!(value, Value::Null | Value::Bool(false)) && !OF_COMMANDS.contains(&key.as_str())
    };
    let within = |one: &Declaration, other: &Declaration| {
        one.0
            .iter()
            .filter(asks)
            .all(|(key, value)| other.0.iter().any(|(name, it)| name == key && it == value))
    };
    within(one, other) && within(other, one)
}

/// pm2 keeps the directory among the variables, and what belongs to an instance.
fn with_own_directory(entry: &mut Declaration) {
    let Some(Value::Object(env)) = entry.0.iter_mut().find(|(key, _)| key == "env").map(|(_, env)| env)
    else {
        return;
    };
    env.retain(|name, _| !OF_INSTANCE.contains(&name.as_str()));
    if let Some(cwd) = env.remove("pm_cwd")
        && entry.get("cwd").is_none()
    {
        entry.0.push(("cwd".to_owned(), cwd));
    }
}

/// `app-out-3.log` is `app-out.log`, whose id is put in again.
fn without_id(path: &mut Value, ending: &str) {
    let Some((stem, id)) = path.as_str().and_then(|path| path.strip_suffix(ending)?.rsplit_once('-')) else {
        return;
    };
    if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) {
        *path = format!("{stem}{ending}").into();
    }
}

impl Group {
    /// The slots of those that were stopped.
    pub(crate) fn stopped_slots(&self) -> Vec<u16> {
        let slots = (1..).zip(&self.stopped);
        slots.filter(|(_, is_stopped)| **is_stopped).map(|(slot, _)| slot).collect()
    }

    /// A process of it that still runs: one that pm2 has noted, and that has the script among its words.
    fn survivor(&self) -> Option<u32> {
        let noted =
            self.pid_files.iter().filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok());
        noted.into_iter().find(|pid: &u32| {
            let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            !self.script.is_empty() && String::from_utf8_lossy(&words).contains(&self.script)
        })
    }

    /// What it is to be here.
    pub(crate) fn judge(&self, session: &Session) -> Result<Declared> {
        let mut declaration = self.declaration.clone();
        declaration.set("instances", self.stopped.len().into());
        declared::judge_with(session, &declaration, BTreeMap::new())
    }
}

fn bring(session: &Session, book: &mut Book, group: &Group) -> Result<()> {
    let judged = match group.judge(session) {
        Ok(judged) => judged,
        Err(why) => {
            for _ in &group.stopped {
                say::error(format_args!(" Process {} not launched - ({})", group.script, reason(&why)));
            }
            book.next_id += group.stopped.len() as u64;
            return Ok(());
        }
    };
    if book.has(&judged.app) {
        return Ok(());
    }
    if let Some(pid) = group.survivor() {
        // A pm2 that is killed leaves programs behind that are no Node programs.
        let name = &judged.app.name;
        say::error(format_args!(
            "{name} is not started, because its process {pid} has outlived pm2: kill {pid}"
        ));
        return Ok(());
    }
    fleet::launch(&session.home, book, &judged, &group.stopped_slots())?;
    for _ in &group.stopped {
        say::fact(format_args!("Process {} launched", group.script))?;
    }
    if session.shows_notes {
        fleet::show_online(book.apps.last(), &group.stopped_slots())?;
    }
    Ok(())
}

/// Why it is not brought back, in pm2's words where it has some.
fn reason(why: &anyhow::Error) -> String {
    let text = format!("{why:#}");
    if text.starts_with("script not found") { "script missing".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Vec<Group> {
        groups(pm2::parse(json.as_bytes()).expect("JSON").0)
    }

    #[test]
    fn what_pm2_has_changed_in_one_instance_makes_no_other_app_of_it() {
        let two = of(r#"[{"name":"a","script":"/a.js","status":"stopped","watch":false,"pm_id":0},
            {"name":"a","script":"/a.js","status":"online","watch":true,"merge_logs":true,"pm_id":4}]"#);
        assert_eq!((two.len(), &*two[0].ids, &*two[0].stopped), (1, &[0, 4][..], &[true, false][..]));
        // What runs has all of its settings still.
        assert_eq!(two[0].declaration.get("watch"), Some(&Value::Bool(true)));
    }

    #[test]
    fn apps_of_one_name_with_other_settings_stay_apart() {
        let two =
            of(r#"[{"name":"a","script":"/a.js","args":["1"]},{"name":"a","script":"/a.js","args":["2"]},
            {"name":"a","script":"/a.js","args":["1"],"treekill":false}]"#);
        let ids: Vec<usize> = two.iter().map(|group| group.stopped.len()).collect();
        assert_eq!(ids, [2, 1]);
    }
}
