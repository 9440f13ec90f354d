//! A supervisor executes its own program once more after a rollout, to give back the memory that the rollout took.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use rustix::process::{Signal, kill_process};

use super::WHILE_IT_IS_TAKEN_OVER;
use super::in_place::supervisor;
use super::worker::Worker;
use crate::home::{Home, eventually};

/// What the kernel gave the supervisor's program at its start, with random addresses: another one after each exec.
fn started_with(home: &Home) -> Vec<u8> {
    fs::read(format!("/proc/{}/auxv", supervisor(home).as_raw_nonzero())).expect("it lives")
}

/// Waits until it has executed its program once more since then.
fn is_renewed(home: &Home, before: &[u8]) {
    eventually("it executes its program once more", || {
        if started_with(home) == before { Err("the same one".to_owned()) } else { Ok(()) }
    });
}

/// The inode of the socket on which the supervisor is asked.
fn control(home: &Home) -> u64 {
    fs::metadata(home.path("lib/data/scheduler-native/shop/control")).expect("it listens").ino()
}

#[test]
fn after_a_deploy_a_supervisor_executes_its_program_once_more_and_nobody_notices() {
    let home = Home::new();
    let mut worker = Worker::of(&home);
    let source = home.source("shop", "web: exec sleep 100012\nworker: sh worker.sh\n");
    let scale = ["--scale", "web=2", "--scale", "worker=1"];
    home.does(&[&["ps-lifecycle", "deploy", "shop", "--dir", &source][..], &scale].concat());
    let (before, pid, socket) = (home.pids("shop"), supervisor(&home), control(&home));
    let program = started_with(&home);
    worker.may_write(WHILE_IT_IS_TAKEN_OVER);
    is_renewed(&home, &program);
    worker.writes_on();
    assert_eq!((home.pids("shop"), supervisor(&home), control(&home)), (before.clone(), pid, socket));
    worker.kept_every_byte();
    let events = home.does(&["ps-lifecycle", "events", "shop"]);
    assert!(!events.contains("supervisor"), "nothing happened that anybody would want to know: {events}");
    // What lives is its child as before, so it is known how it ends.
    home.does(&["ps-lifecycle", "signal", "KILL", "shop", "web.2"]);
    eventually("it is started again", || {
        let rows = home.status("shop");
        let row =
            rows.into_iter().find(|row| row["pid"].as_u64() != Some(before["web.2"]) && row["restarts"] == 1);
        let row = row.ok_or("no row")?;
        if row["last_exit"] == serde_json::json!({"signal": 9}) { Ok(()) } else { Err(row.to_string()) }
    });
    home.does(&["ps-lifecycle", "stop", "shop"]);
    home.is_silent();
}

#[test]
fn a_client_that_is_connected_is_never_disconnected_by_a_renewal() {
    let home = Home::running("shop", "web: exec sleep 100013\n", &[]);
    let stream =
        UnixStream::connect(home.path("lib/data/scheduler-native/shop/control")).expect("it listens");
    let mut answers = BufReader::new(stream.try_clone().expect("copied")).lines();
    let mut ask = |mut stream: &UnixStream| {
        stream.write_all(b"{\"do\":\"hello\"}\n").expect("it reads");
        let answers: Vec<String> = answers.by_ref().take(2).map(|line| line.expect("it answers")).collect();
        assert!(answers[0].contains("hello") && answers[1].contains("reply"), "{answers:?}");
    };
    ask(&stream);
    let program = started_with(&home);
    home.does(&["ps-lifecycle", "restart", "shop"]);
    // Longer than a renewal takes where nobody is connected.
    thread::sleep(Duration::from_secs(2));
    ask(&stream);
    assert_eq!(started_with(&home), program);
    drop((stream, answers));
    is_renewed(&home, &program);
}

#[test]
fn a_release_process_lives_on_when_the_supervisor_of_what_ran_before_is_replaced() {
    let home = Home::running("shop", "web: exec sleep 100014\n", &[]);
    let source =
        home.source("shop", "web: exec sleep 100015\nrelease: echo begun >begun; sleep 3; echo done\n");
    let deploy = home.start(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    eventually("the release runs", || {
        fs::metadata(home.path("shop/begun")).map_err(|error| error.to_string())
    });
    let before = supervisor(&home);
    kill_process(before, Signal::KILL).expect("it lives");
    let ran = deploy.ended();
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert_ne!(supervisor(&home), before);
    assert!(ran.stderr.contains("done"), "{ran:?}");
}
