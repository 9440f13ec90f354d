//! One change of an app at a time: who is busy, who comes in with the holder, who is interrupted.

use std::fs;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::fs::FlockOperation;
use rustix::process::Signal;

use crate::home::{Home, assert_same, eventually, table};
use crate::program::Running;

const SLOW: &str = "web: faultapp --tick 60\nrelease: echo begun; sleep 30\n";

/// A home where a deploy of `shop` is in its release, which takes long.
fn deploying(home: &Home) -> Running {
    let source = home.source("slow", SLOW);
    let deploy = home.start(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    eventually("the release runs", || {
        let processes = home.processes();
        let is_there = processes.iter().any(|(_, words)| words.starts_with("sleep 30"));
        if is_there { Ok(()) } else { Err(format!("{processes:?}")) }
    });
    deploy
}

#[test]
fn who_finds_the_app_locked_waits_as_long_as_told_and_names_the_holder() {
    let home = Home::running("shop", "web: faultapp --tick 60\n", &[]);
    let mut deploy = deploying(&home);
    for verb in ["stop", "start", "restart", "rebuild", "destroy", "converge", "deploy"] {
        let ran =
            home.refuses(&["ps-lifecycle", verb, "shop", "--wait", "0"], 75, &["shop", "pid ", "--wait"]);
        assert!(ran.stderr.contains("deploy shop"), "the holder's command: {ran:?}");
    }
    let late = home.refuses(&["ps-lifecycle", "stop", "shop", "--wait", "1"], 75, &["pid "]);
    assert!(late.took > Duration::from_millis(900) && late.took < Duration::from_secs(25), "{late:?}");
    assert_eq!(home.states("shop"), table(&[("web.1", "running")]), "reads need no lock");
    let mut waiting = home.start(&["ps-lifecycle", "stop", "shop"]);
    waiting.until_it_minds_signals();
    waiting.signal(Signal::INT);
    let waiting = waiting.ended();
    assert_eq!(waiting.status, Some(1), "whoever waits can be told not to: {waiting:?}");
    deploy.signal(Signal::INT);
    assert_eq!(deploy.ended().status, Some(1));
    home.does(&["ps-lifecycle", "stop", "shop", "--wait", "0"]);
}

#[test]
fn an_interrupted_release_leaves_everything_as_it_was() {
    let home = Home::running("shop", "web: faultapp --tick 60\n", &[]);
    let (before, pids) = (home.state(), home.pids("shop"));
    for signal in [Signal::INT, Signal::TERM] {
        let mut deploy = deploying(&home);
        deploy.signal(signal);
        deploy.ended().is_refused(1, &["interrupted"]);
        home.is_as(&before);
        assert_eq!(home.pids("shop"), pids);
    }
    eventually("the release is gone", || {
        let left = home.processes();
        if left.iter().any(|(_, words)| words.starts_with("sleep")) {
            Err(format!("{left:?}"))
        } else {
            Ok(())
        }
    });
}

#[test]
fn an_interrupted_first_deploy_leaves_nothing() {
    let home = Home::new();
    let mut deploy = deploying(&home);
    deploy.signal(Signal::INT);
    deploy.ended().is_refused(1, &["interrupted"]);
    home.is_silent();
    assert!(home.state().is_empty(), "{:?}", home.state().keys());
}

#[test]
fn a_hook_scales_the_app_that_is_being_deployed_or_started() {
    let home = Home::new();
    home.hook("more/pre-start", "#!/bin/sh\nexec ps-scale --wait 0 --skip-deploy \"$1\" \"worker=$(cat \"$HOME/workers\")\" 2>/dev/null\n");
    let source = home.source("shop", "web: faultapp --tick 60\nworker: faultapp --tick 60\n");
    home.write("workers", "1");
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    // The first deploy makes the app known with its types; from here on the hook can scale them.
    home.write("workers", "2");
    home.does(&["ps-lifecycle", "deploy", "shop"]);
    let states = table(&[("web.1", "running"), ("worker.1", "running"), ("worker.2", "running")]);
    assert_eq!(home.states("shop"), states);
    assert_eq!(home.does(&["ps-scale", "shop", "--quiet"]), "web:  1\nworker: 2\n");
    home.write("workers", "0");
    home.does(&["ps-lifecycle", "restart", "shop"]);
    assert_eq!(home.states("shop"), table(&[("web.1", "running")]));
    fs::remove_dir_all(home.path("lib/plugins")).expect("it was there");
}

#[test]
fn apps_never_see_the_lock_of_whoever_started_them() {
    let home =
        Home::running("shop", "web: env | grep FORMATION_LOCK; exec faultapp --tick 60\nrelease: env\n", &[]);
    let logs = home.does(&["ps-lifecycle", "logs", "shop"]);
    assert!(!logs.contains("FORMATION_LOCK"), "{logs}");
}

#[test]
fn a_second_retire_ends_at_once_with_dokkus_status() {
    let home = Home::running("shop", "web: faultapp --tick 60\n", &[]);
    home.does(&["ps-lifecycle", "retire"]);
    home.does(&["ps-lifecycle", "retire", "shop"]);
    let lock = fs::File::open(home.path("lib/data/ps/retire")).expect("the lock's file");
    rustix::fs::flock(lock.as_fd(), FlockOperation::NonBlockingLockExclusive).expect("it is free");
    for words in [&["retire"][..], &["retire", "shop"]] {
        home.refuses(&[&["ps-lifecycle"], words].concat(), 137, &["data/ps/retire", "again later"]);
    }
    // A child that another test is just starting may still have a copy of the descriptor.
    rustix::fs::flock(lock.as_fd(), FlockOperation::Unlock).expect("it is ours");
    home.does(&["ps-lifecycle", "retire"]);
    fs::remove_file(home.path("lib/data/ps/retire")).expect("it was there");
}

#[test]
fn two_deploys_of_different_apps_at_once_do_not_meet() {
    let home = Home::new();
    let source = home.source("shop", "web: faultapp --tick 60\n");
    let both = ["one", "two"].map(|app| home.start(&["ps-lifecycle", "deploy", app, "--dir", &source]));
    for deploy in both {
        let ran = deploy.ended();
        assert_eq!(ran.status, Some(0), "{ran:?}");
    }
    let port = |app: &str| home.status(app)[0]["port"].as_u64();
    assert_ne!(port("one"), port("two"));
    let before = home.settings();
    home.does(&["ps-lifecycle", "restart", "--all", "--parallel", "2"]);
    assert_same(&before, &home.settings());
}
