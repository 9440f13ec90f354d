//! `stop`, and `start` and `destroy` after it.

use std::time::Duration;

use serde_json::json;

use crate::hello::{answers, hello_with_two_webs};
use crate::home::{self, Home, eventually, table};

#[test]
fn stop_start_and_destroy_leave_what_they_should() {
    let _listening = home::listening();
    let home = hello_with_two_webs();
    let ports = |home: &Home| home.status("hello").iter().map(|row| row["port"].clone()).collect::<Vec<_>>();
    let before = ports(&home);
    home.does(&["ps-lifecycle", "stop", "hello"]);
    home.is_silent();
    let stopped = table(&[("web.1", "stopped"), ("web.2", "stopped"), ("worker.1", "stopped")]);
    assert_eq!(home.states("hello"), stopped);
    assert_eq!(home.does(&["ps-report", "hello", "--running"]), "false\n");
    home.does(&["ps-lifecycle", "start", "hello"]);
    assert!(home.states("hello").values().all(|state| state == "running"), "{:?}", home.states("hello"));
    assert_eq!(ports(&home), before, "an instance keeps its port");
    answers(&home, "web.2");
    home.does(&["ps-lifecycle", "destroy", "hello"]);
    home.is_silent();
    assert_eq!(home.state().into_keys().collect::<Vec<_>>(), Vec::<std::path::PathBuf>::new());
    assert_eq!(home.does(&["ps-lifecycle", "status"]).lines().count(), 1, "the headings");
    home.run(&["ps-lifecycle", "status", "hello"]).is_refused(20, &["hello"]);
}

#[test]
fn a_type_or_an_instance_is_stopped_and_started_alone() {
    let home = Home::running(
        "duo",
        "web: faultapp --tick 5\nworker: faultapp --tick 5\n",
        &["--scale", "web=2", "worker=1"],
    );
    let before = home.pids("duo");
    let file = |name: &str| std::fs::read(home.path("lib/data/scheduler-native/duo").join(name)).ok();
    let spec = file("spec2.json");
    home.does(&["ps-lifecycle", "stop", "duo", "web.2"]);
    let states = table(&[("web.1", "running"), ("web.2", "stopped"), ("worker.1", "running")]);
    assert_eq!(home.states("duo"), states);
    assert_eq!(file("spec2.json"), spec, "a stop rewrites nothing that somebody else wrote");
    assert!(file("stopped.json").is_some_and(|list| String::from_utf8_lossy(&list).contains("web.2")));
    home.does(&["ps-lifecycle", "stop", "duo", "worker"]);
    home.does(&["ps-lifecycle", "start", "duo", "web.2"]);
    let states = table(&[("web.1", "running"), ("web.2", "running"), ("worker.1", "stopped")]);
    assert_eq!(home.states("duo"), states);
    home.does(&["ps-lifecycle", "start", "duo"]);
    assert_eq!(home.pids("duo")["web.1"], before["web.1"], "what runs is left alone");
    assert_eq!(home.states("duo")["worker.1"], "running");
    assert_eq!(file("stopped.json"), None, "nothing is stopped by hand any more");
}

/// Longer than the app's grace period and what `stop` waits beside it.
const SLOW: &str = "trap 'sleep 8; echo finished; exit 0' TERM; echo up; while :; do sleep 0.1; done";

#[test]
fn a_stop_of_what_is_stopped_starts_no_root() {
    let home = Home::running("tick", "web: faultapp --tick 5\n", &[]);
    let root = home.path("lib/data/scheduler-native/.root");
    assert!(root.exists(), "one was started");
    home.does(&["ps-lifecycle", "stop", "tick"]);
    home.is_silent();
    std::fs::remove_dir_all(&root).expect("a root was there");
    home.does(&["ps-lifecycle", "stop", "tick"]);
    assert!(!root.exists(), "the second stop started a root");
    assert_eq!(home.states("tick"), table(&[("web.1", "stopped")]));
}

#[test]
fn a_stop_waits_as_long_as_a_type_is_given_to_end_however_short_the_grace_of_the_app_is() {
    let home = Home::running("slow", &format!("web: {SLOW}\nworker: {SLOW}\n"), &["--scale", "worker=1"]);
    for (key, seconds) in [("stop", "1"), ("web.stop", "600"), ("worker.stop", "600")] {
        home.does(&["ps-set", "slow", &format!("{key}-timeout-seconds"), seconds]);
    }
    home.does(&["ps-scale", "slow", "worker=2"]);
    for which in [&["slow", "web"][..], &["slow"]] {
        home.does(&[&["ps-lifecycle", "stop"], which].concat());
    }
    for status in home.status("slow") {
        assert_eq!(
            (&status["state"], &status["last_exit"]),
            (&json!("stopped"), &json!({"code": 0})),
            "{status}"
        );
    }
}

#[test]
fn nothing_escapes_a_stop_however_it_hides() {
    let procfile = "web: faultapp --ignore-term --fork-tree 2 2 --setsid --tick 60\n";
    let home = Home::running("wild", procfile, &[]);
    home.does(&["ps-set", "wild", "stop-timeout-seconds", "1"]);
    eventually("the family is there", || {
        let processes = home.processes();
        if processes.len() > 8 { Ok(()) } else { Err(format!("{processes:?}")) }
    });
    let stop = home.run(&["ps-lifecycle", "stop", "wild"]);
    assert_eq!(stop.status, Some(0), "{stop:?}");
    // How soon after the grace period a quiet machine is done, tests/endurance measures.
    assert!(stop.took < Duration::from_secs(30), "{stop:?}");
    let left = home.processes();
    assert!(left.iter().all(|(_, words)| !words.contains("faultapp")), "{left:?}");
}

/// The lock of the app is not waited for: whoever holds it, or the supervisor for it, carries the stop out.
#[test]
fn an_instance_is_stopped_in_the_middle_of_a_restart_that_somebody_waits_for() {
    let home = Home::running(
        "duo",
        "web: exec faultapp --tick 5\nworker: exec faultapp --ignore-term --tick 5\n",
        &["--scale", "web=2", "worker=1"],
    );
    home.does(&["ps-set", "duo", "stop-timeout-seconds", "3"]);
    let mut restart = home.start(&["ps-lifecycle", "restart", "duo"]);
    eventually("it is on its way", || {
        let file = home.path("lib/data/scheduler-native/duo/rollout.json");
        if file.exists() { Ok(()) } else { Err(format!("{:?}", home.states("duo"))) }
    });
    home.does(&["ps-lifecycle", "stop", "duo", "web.2", "--wait", "0"]);
    assert_eq!(home.states("duo")["web.2"], "stopped");
    assert!(restart.is_running(), "its worker takes longer than that to end");
    let ran = restart.ended();
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let states = table(&[("web.1", "running"), ("web.2", "stopped"), ("worker.1", "running")]);
    assert_eq!(home.states("duo"), states);
}

#[test]
fn a_stop_command_that_fails_is_told_by_the_stop() {
    for part in [&["stop", "shop"][..], &["stop", "shop", "web.1"]] {
        let home = Home::new();
        let source = home.source("shop", "web: faultapp --tick 60\n");
        home.write(
            "shop/app.json",
            r#"{"formation": {"web": {"ready": "alive", "stop_command": "exit 3"}}}"#,
        );
        home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
        let ran = home.run(&[&["ps-lifecycle"], part].concat());
        assert_eq!(ran.status, Some(0), "{ran:?}");
        assert_eq!(ran.stderr.matches("web.1: stop-command: exit status 3").count(), 1, "{part:?}: {ran:?}");
    }
}
