//! What belongs to whoever calls a verb reaches neither the supervisor nor the app.

use std::fs::{self, File};
use std::os::fd::AsFd;

use rustix::fs::FlockOperation;

use crate::home::Home;
use crate::program::run;

fn sh(home: &Home, script: &str) -> crate::program::Ran {
    let mut command = std::process::Command::new("/bin/bash");
    let path = std::env::var("PATH").unwrap_or_default();
    command
        .args(["-c", script])
        .env_clear()
        .env("PATH", format!("{}:{path}", crate::home::programs().display()))
        .env("HOME", home.path(""))
        .env("DOKKU_ROOT", home.path("home"))
        .env("DOKKU_LIB_ROOT", home.path("lib"))
        .current_dir(home.path(""));
    let ran = run(command);
    assert_eq!(ran.status, Some(0), "{script}: {ran:?}");
    ran
}

/// The value of a field of `/proc/<pid>/status`.
fn field(pid: u64, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.expect("the field").trim().to_owned()
}

fn descriptors(pid: u64) -> Vec<u32> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs").flatten();
    let mut numbers: Vec<u32> =
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn a_lock_that_the_caller_holds_is_free_once_the_verb_has_ended() {
    let home = Home::new();
    home.source("shop", "release: sleep 98 & true\nweb: sleep 99\n");
    home.write("l", "");
    for words in ["deploy shop --dir shop", "restart shop", "stop shop", "start shop", "rebuild shop"] {
        sh(&home, &format!("exec 9>l 250>l; flock 9; ps-lifecycle {words}"));
        let lock = File::open(home.path("l")).expect("the lock's file");
        let taken = rustix::fs::flock(lock.as_fd(), FlockOperation::NonBlockingLockExclusive);
        assert!(taken.is_ok(), "held after {words}: {:?}", home.processes());
    }
    let pid = home.pids("shop")["web.1"];
    assert_eq!(descriptors(pid), [0, 1, 2], "stdin, stdout and stderr");
}

#[test]
fn a_verb_in_a_substitution_or_a_pipe_returns_though_its_app_runs_on() {
    let home = Home::new();
    home.source("shop", "web: sleep 99\n");
    let ran = sh(
        &home,
        "x=$(ps-lifecycle deploy shop --dir shop 2>&1); ps-lifecycle restart shop 2>&1 | cat >/dev/null; echo \"$x\"",
    );
    assert!(ran.stdout.contains("web.1 is up"), "{ran:?}");
}

#[test]
fn signals_that_the_caller_ignores_mean_to_the_app_what_they_mean() {
    let home = Home::new();
    home.source("shop", "web: sleep 99\n");
    sh(&home, "trap '' HUP INT QUIT TERM USR1 TSTP CHLD; umask 077; ps-lifecycle deploy shop --dir shop");
    // By now the supervisor itself has blocked what is not to end it.
    home.does(&["ps-lifecycle", "restart", "shop"]);
    let pid = home.pids("shop")["web.1"];
    assert_eq!(u64::from_str_radix(&field(pid, "SigBlk"), 16), Ok(0), "signals are blocked");
    let ignored = u64::from_str_radix(&field(pid, "SigIgn"), 16).expect("a mask");
    for (signal, name) in
        [(1, "HUP"), (2, "INT"), (3, "QUIT"), (10, "USR1"), (13, "PIPE"), (15, "TERM"), (20, "TSTP")]
    {
        assert_eq!(ignored & (1 << (signal - 1)), 0, "{name} is ignored: {ignored:x}");
    }
    assert_eq!(field(pid, "Umask"), "0022");
    let supervisor: u64 = field(pid, "PPid").parse().expect("a pid");
    assert_eq!(fs::read_link(format!("/proc/{supervisor}/cwd")).expect("it runs"), std::path::Path::new("/"));
    home.does(&["ps-lifecycle", "stop", "shop"]);
}
