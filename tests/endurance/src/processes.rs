//! The processes of this machine, found by what `/proc` says of them alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustix::process::{Pid, Signal, kill_process};

const LOOK: Duration = Duration::from_millis(2);

/// Pid and command line of every process in whose environment a word stands, and those that are just being replaced by
/// exec left out.
pub fn with_variable(variable: &str) -> BTreeMap<u32, String> {
    let has = |pid: u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry.starts_with(variable.as_bytes()))
    };
    all().filter(|pid| has(*pid)).filter_map(|pid| Some((pid, command_line(pid)?))).collect()
}

/// The pids of `ps-supervise` processes that have these words in their command line.
pub fn supervisors(words: &Path) -> Vec<u32> {
    let words = words.to_string_lossy().into_owned();
    let is_one = |line: &str| {
        let mut parts = line.split(' ');
        let is_ours = parts.next().is_some_and(|name| name.ends_with("ps-supervise"));
        is_ours && parts.any(|part| part == words)
    };
    all().filter(|pid| command_line(*pid).is_some_and(|line| is_one(&line))).collect()
}

/// The pids of processes of a program that work in this directory.
pub fn at_work_in(directory: &Path, program: &str) -> Vec<u32> {
    let is_of =
        |pid: u32| command_line(pid).and_then(|line| Some(line.split(' ').next()?.ends_with(program)));
    let is_there =
        |pid: &u32| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|place| place == directory);
    all().filter(is_there).filter(|pid| is_of(*pid) == Some(true)).collect()
}

/// What a process was called with; `None` if there is none, or nothing was.
pub fn command_line(pid: u32) -> Option<String> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok().filter(|line| !line.is_empty())?;
    Some(String::from_utf8_lossy(&line).trim_end_matches('\0').replace('\0', " "))
}

fn all() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// SIGKILL, and waits until it is gone or a zombie.
pub fn kill(pid: u32) -> Result<()> {
    let Some(raw) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { bail!("{pid} is no pid") };
    // One that is gone already is what is wanted.
    let _ = kill_process(raw, Signal::KILL);
    until("a killed process is gone", Duration::from_secs(10), || command_line(pid).is_none().then_some(()))
}

/// Waits for a fact; the time that it may take is told as a failure.
pub fn until<T>(fact: &str, deadline: Duration, mut look: impl FnMut() -> Option<T>) -> Result<T> {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        if begin.elapsed() > deadline {
            bail!("not within {deadline:?}: {fact}");
        }
        std::thread::sleep(LOOK);
    }
}
