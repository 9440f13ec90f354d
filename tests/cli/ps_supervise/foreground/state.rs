//! What it keeps on disk: little, for us alone, and not for long.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

use super::Source;
use crate::service::eventually;

const SECRET: &str = "a-value-that-nobody-may-read";

/// Whether nobody else has any permission.
fn is_private(mode: u32) -> bool {
    mode.trailing_zeros() >= 6
}

/// Every path below a directory.
fn all(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        found.push(entry.path());
        found.extend(all(&entry.path()));
    }
    found
}

#[test]
fn nothing_of_it_is_readable_for_others_and_no_variable_is_in_it() {
    let source = Source::new("web: echo up; exec sleep 1000\n").variable("SECRET", SECRET);
    let source = source.file(".env", &format!("OTHER={SECRET}\n"));
    let running = source.start(&[]);
    running.await_out("up");
    let paths = all(source.runtime.path());
    assert!(paths.iter().any(|path| path.ends_with("web.1/status.json")), "{paths:?}");
    for path in &paths {
        let mode = fs::symlink_metadata(path).expect("there").permissions().mode();
        assert!(is_private(mode), "{} {mode:o}", path.display());
        let content = if path.is_file() { fs::read(path).unwrap_or_default() } else { Vec::new() };
        assert!(!String::from_utf8_lossy(&content).contains(SECRET), "{}", path.display());
    }
    running.signal(Signal::TERM);
    running.end();
    assert_eq!(source.left(), Vec::<String>::new());
}

#[test]
fn what_a_crash_left_is_ended_and_cleaned_up_at_the_next_start() {
    let source = Source::new("web: echo up; exec sleep 1000\n");
    let running = source.start(&[]);
    running.await_out("up");
    // The guard dies first: as if the whole session were killed.
    let guard = guard_of(running.child.id());
    let kill = |pid: u32| {
        let pid = rustix::process::Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid");
        rustix::process::kill_process(pid, Signal::KILL).expect("it is ours");
    };
    kill(guard);
    kill(running.child.id());
    let mut killed = running;
    killed.child.wait().expect("it is ours");
    assert_eq!(source.processes().len(), 1, "nobody was there to end it");
    assert_eq!(source.left().len(), 1);
    let next = source.start(&[]);
    next.await_err("ended web.1 (pid ");
    next.await_out("up");
    assert_eq!(source.processes().len(), 1, "only the new one runs");
    next.signal(Signal::TERM);
    assert!(next.end().status.success());
    assert_eq!(source.left(), Vec::<String>::new());
}

#[test]
fn the_next_start_waits_for_the_guard_of_one_that_was_killed() {
    let source = Source::new("web: trap 'sleep 0.5; exit' TERM; echo up; while :; do sleep 0.1; done\n");
    let mut killed = source.start(&[]);
    killed.await_out("up");
    let before = source.processes();
    killed.signal(Signal::KILL);
    killed.child.wait().expect("it is ours");
    let next = source.start(&[]);
    next.await_out("up");
    let now = source.processes();
    assert!(before.iter().all(|pid| !now.contains(pid)), "{before:?} {now:?}");
    next.signal(Signal::TERM);
    let ended = next.end();
    assert!(ended.status.success() && !ended.err.contains("another ps-supervise"), "{}", ended.err);
    assert_eq!(source.left(), Vec::<String>::new());
}

fn guard_of(parent: u32) -> u32 {
    eventually("it has a guard", || {
        let entries = fs::read_dir("/proc").expect("/proc is there");
        let mut pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        pids.find(|pid| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let is_child = stat
                .rsplit_once(") ")
                .is_some_and(|(_, rest)| rest.split(' ').nth(1) == Some(parent.to_string().as_str()));
            let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            is_child && String::from_utf8_lossy(&arguments).contains("--guard")
        })
    })
}

#[test]
fn two_of_the_same_directory_run_beside_each_other() {
    let source = Source::new("web: echo up; exec sleep 1000\n");
    let first = source.start(&[]);
    first.await_out("up");
    let second = source.start(&[]);
    second.await_out("up");
    second.await_err(&format!("another ps-supervise (pid {}) runs", first.child.id()));
    assert_eq!(source.processes().len(), 2);
    second.signal(Signal::TERM);
    eventually("the first runs on alone", || (source.processes().len() == 1).then_some(()));
    first.signal(Signal::TERM);
    assert!(first.end().status.success());
    second.end();
    assert_eq!(source.left(), Vec::<String>::new());
}

#[test]
fn a_runtime_directory_that_others_could_write_to_is_not_used() {
    let source = Source::new("web: echo ran\n");
    let open = fs::Permissions::from_mode(0o777);
    fs::set_permissions(source.runtime.path(), open).expect("it is ours");
    assert_eq!(source.run(&[]).lines(), ["ran"]);
    assert!(!source.runtime.path().join("ps-supervise").exists());
}

#[test]
fn where_descriptors_are_short_it_says_so_at_once_and_leaves_nothing() {
    let source = Source::new("web: exec sleep 1000\n");
    let mut command = Command::new("sh");
    source.prepare(&mut command);
    let script = format!("ulimit -n 64; exec {} -m web=100", env!("CARGO_BIN_EXE_ps-supervise"));
    command.args(["-c", &script]);
    let ended = source.start_command(command).end();
    assert!(ended.err.contains("Too many open files"), "{}", ended.err);
    assert_eq!((ended.err.lines().count(), ended.code()), (1, 1), "{}", ended.err);
    assert_eq!(source.left(), Vec::<String>::new());
}

#[test]
fn what_was_killed_before_it_had_its_lock_is_cleaned_up_at_the_next_start() {
    let source = Source::new("web: true\n");
    let unborn = source.runtime.path().join("ps-supervise/run-unborn");
    for directory in [unborn.parent().expect("it has one"), &unborn] {
        fs::create_dir(directory).expect("made");
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).expect("it is ours");
    }
    let nobody = "4194305";
    let directory = source.path().canonicalize().expect("there");
    fs::write(unborn.join("owner"), format!("{nobody}\n{}", directory.display())).expect("written");
    assert_eq!(source.run(&[]).code(), 0);
    assert_eq!(source.left(), Vec::<String>::new());
}
