//! An upgrade in place: a supervisor becomes the installed program in the same process.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::WHILE_IT_IS_TAKEN_OVER;
use super::worker::Worker;
use crate::home::{Home, eventually, programs, slot};
use crate::program::run;

/// A directory with `ps-lifecycle`, and `ps-supervise` as another build: a copy, or this script.
fn installed(script: Option<&str>) -> TempDir {
    let directory = TempDir::new().expect("a directory");
    fs::copy(programs().join("ps-lifecycle"), directory.path().join("ps-lifecycle")).expect("copied");
    let program = directory.path().join("ps-supervise");
    match script {
        None => drop(fs::copy(programs().join("ps-supervise"), &program).expect("copied")),
        Some(script) => {
            fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("written");
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
        }
    }
    directory
}

/// The one supervisor of a home, the root of them all aside. What it has just forked bears its name until it becomes a command.
pub(crate) fn supervisor(home: &Home) -> Pid {
    eventually("one app has one supervisor", || match home.supervisors()[..] {
        [pid] => Ok(pid),
        ref several => Err(format!("{several:?}")),
    })
}

#[test]
fn a_supervisor_of_another_build_becomes_the_installed_one_in_the_same_process_and_no_byte_is_lost() {
    let home = Home::new();
    let mut worker = Worker::of(&home);
    let source = home.source("shop", "web: exec sleep 100002\nworker: sh worker.sh\n");
    let scale = ["--scale", "web=1", "--scale", "worker=1"];
    home.does(&[&["ps-lifecycle", "deploy", "shop", "--dir", &source][..], &scale].concat());
    let (before, pid) = (home.pids("shop"), supervisor(&home));
    let program = || fs::read_link(format!("/proc/{}/exe", pid.as_raw_nonzero())).expect("it lives");
    for _ in 0..4 {
        let other = installed(None);
        worker.may_write(WHILE_IT_IS_TAKEN_OVER);
        let ran = run(home.command_at(other.path(), &["ps-lifecycle", "start", "shop", "web.1"]));
        assert_eq!(ran.status, Some(0), "{ran:?}");
        assert_eq!(program(), other.path().canonicalize().expect("it is there").join("ps-supervise"));
        assert_eq!((home.pids("shop"), supervisor(&home)), (before.clone(), pid));
        worker.writes_on();
    }
    worker.kept_every_byte();
    home.does(&["ps-lifecycle", "restart", "shop"]);
    home.does(&["ps-lifecycle", "stop", "shop"]);
    home.is_silent();
}

#[test]
fn how_a_process_ended_while_its_supervisor_became_another_program_is_known() {
    // It ends as soon as its parent is another program: before that knows of it, or right after.
    let watches = "a=$(readlink /proc/$PPID/exe); while b=$(readlink /proc/$PPID/exe) && [ $a = $b ]; do :; done; exit 7";
    let procfile = format!("web: {watches}\nworker: exec sleep 100003\n");
    let home = Home::running("shop", &procfile, &["--scale", "web=1", "--scale", "worker=1"]);
    let (before, pid) = (home.pids("shop"), supervisor(&home));
    let other = installed(None);
    let ran = run(home.command_at(other.path(), &["ps-lifecycle", "start", "shop", "worker.1"]));
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let ended_with = |name: &str, exit: serde_json::Value| {
        eventually("it is started again", || {
            let rows = home.status("shop");
            let row = rows.into_iter().find(|row| slot(row) == name).ok_or("no row")?;
            let is_again = row["state"] == "running" && row["pid"].as_u64() != Some(before[name]);
            let is_known = row["last_exit"] == exit && row["restarts"] == 1;
            if is_again && is_known { Ok(()) } else { Err(row.to_string()) }
        });
    };
    ended_with("web.1", serde_json::json!({"code": 7}));
    assert_eq!((home.pids("shop")["worker.1"], supervisor(&home)), (before["worker.1"], pid));
    // What lives on is its child as before: how that ends is seen as well.
    let other = i32::try_from(before["worker.1"]).ok().and_then(Pid::from_raw).expect("a pid");
    kill_process(other, Signal::TERM).expect("it lives");
    ended_with("worker.1", serde_json::json!({"signal": 15}));
}

#[test]
fn a_program_that_cannot_go_on_leaves_the_supervisor_as_it_was() {
    let home = Home::running("shop", "web: exec sleep 100004\n", &[]);
    let (before, pid) = (home.pids("shop"), supervisor(&home));
    let program = || fs::read_link(format!("/proc/{}/exe", pid.as_raw_nonzero())).expect("it lives");
    let ours = program();
    // What else it is started for, it does not do either.
    for script in ["exit 1", "[ $1 = --can-go-on ] && exec sleep 1000", "kill -9 $$"] {
        let other = installed(Some(script));
        let ran = run(home.command_at(other.path(), &["ps-lifecycle", "start", "shop"]));
        assert_eq!(ran.status, Some(0), "{script}: {ran:?}");
        assert_eq!((home.pids("shop"), supervisor(&home), program()), (before.clone(), pid, ours.clone()));
    }
    home.does(&["ps-lifecycle", "restart", "shop"]);
    assert_eq!(supervisor(&home), pid);
    home.does(&["ps-lifecycle", "stop", "shop"]);
    home.is_silent();
}

#[test]
fn a_supervisor_that_carries_out_a_rollout_becomes_no_other_program_before_that_is_over() {
    let home = Home::running("shop", "web: exec sleep 100005\n", &[]);
    let (before, pid) = (home.pids("shop"), supervisor(&home));
    let service = home.path("lib/data/scheduler-native/shop");
    let source = home.source("shop", "web: exec sleep 100006\n");
    let deploy = home.start(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    eventually("it is rolled out", || {
        fs::metadata(service.join("rollout.json")).map_err(|error| error.to_string())
    });
    let mut stream = UnixStream::connect(service.join("control")).expect("it listens");
    stream.write_all(b"{\"do\":\"reexec\",\"program\":\"/bin/true\"}\n").expect("it reads");
    let reply = BufReader::new(stream).lines().next().expect("it answers").expect("text");
    assert!(reply.contains("is being rolled out"), "{reply}");
    let ran = deploy.ended();
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert_ne!(home.pids("shop"), before);
    assert_eq!(supervisor(&home), pid);
}
