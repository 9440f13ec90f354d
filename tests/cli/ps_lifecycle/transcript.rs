//! What a newcomer does, from the first deploy to destroy, natively and in Docker.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde_json::{Value, json};

use crate::home::{self, Home, eventually, get, hello, slot, table};

const KEYS: [&str; 17] = [
    "address",
    "app",
    "container_id",
    "cpu_percent",
    "index",
    "last_exit",
    "memory_bytes",
    "pid",
    "port",
    "process_type",
    "release",
    "restarts",
    "role",
    "run",
    "scheduler",
    "since",
    "state",
];

fn row(home: &Home, app: &str, name: &str) -> Value {
    home.status(app).into_iter().find(|row| slot(row) == name).expect("the slot is there")
}

fn answers(home: &Home, name: &str) {
    let port = row(home, "hello", name)["port"].as_u64().expect("a port");
    let answer = get(port, "/").expect("it answers");
    assert!(answer.contains("200") && answer.contains(&format!("Hello from {name}")), "{answer:?}");
}

/// The row has the fields of docs/contract.md, each of its kind.
fn is_whole(row: &Value) {
    let keys: BTreeSet<&str> = row.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(keys, BTreeSet::from(KEYS), "the keys of docs/contract.md");
    let port = row["port"].as_u64().expect("a port");
    assert_eq!(row["address"], json!(format!("127.0.0.1:{port}")));
    assert!(row["pid"].is_u64() && row["memory_bytes"].is_u64() && row["cpu_percent"].is_f64(), "{row}");
    assert_eq!(
        (&row["restarts"], &row["last_exit"], &row["container_id"]),
        (&json!(0), &json!(null), &json!(null))
    );
    let since = row["since"].as_str().expect("a time");
    assert!(since.len() >= 20 && since.ends_with('Z') && since.contains('T'), "{since}");
    assert_eq!((&row["app"], &row["scheduler"]), (&json!("hello"), &json!("native")));
}

fn hello_with_two_webs() -> Home {
    let home = Home::new();
    home.does(&["ps-lifecycle", "deploy", "hello", "--dir", &hello()]);
    home.does(&["ps-scale", "hello", "web=2", "worker=1"]);
    home
}

#[test]
fn hello_is_deployed_scaled_asked_and_reported() {
    let _listening = home::listening();
    let home = Home::new();
    let deploy = home.run(&["ps-lifecycle", "deploy", "hello", "--dir", &hello()]);
    assert_eq!((deploy.status, &*deploy.stdout), (Some(0), ""), "talk is on stderr: {deploy:?}");
    assert!(deploy.stderr.contains("nothing to migrate"), "release says what it did: {deploy:?}");
    assert_eq!(home.states("hello"), table(&[("web.1", "running")]));
    let before = home.pids("hello");
    home.does(&["ps-scale", "hello", "web=2", "worker=1"]);
    let scale = r#"[{"process_type":"release","quantity":0},{"process_type":"web","quantity":2},{"process_type":"worker","quantity":1}]"#;
    assert_eq!(home.does(&["ps-scale", "hello", "--json"]).trim_end(), scale);
    let running = table(&[("web.1", "running"), ("web.2", "running"), ("worker.1", "running")]);
    assert_eq!(home.states("hello"), running);
    assert_eq!(home.pids("hello")["web.1"], before["web.1"], "what ran already is left alone");
    home.status("hello").iter().for_each(is_whole);
    for name in ["web.1", "web.2"] {
        answers(&home, name);
    }
    assert!(home.does(&["ps-report", "hello"]).contains("Status web 2:                     running (PID: "));
    assert_eq!(home.does(&["ps-report", "hello", "--running"]), "true\n");
    let report: Value =
        serde_json::from_str(&home.does(&["ps-report", "--json"])).expect("one object, for the one app");
    assert_eq!((&report["running"], &report["processes"]), (&json!("true"), &json!("3")));
}

#[test]
fn a_killed_web_is_back_in_well_under_a_second() {
    let _listening = home::listening();
    let home = hello_with_two_webs();
    let before = home.pids("hello");
    let pid = i32::try_from(before["web.1"]).expect("a pid");
    let killed = Instant::now();
    rustix::process::kill_process(Pid::from_raw(pid).expect("a pid"), Signal::KILL).expect("it lives");
    let after = eventually("another process runs in its place", || {
        let row = row(&home, "hello", "web.1");
        let is_back = row["state"] == "running" && row["pid"].as_u64() != Some(before["web.1"]);
        if is_back { Ok(row) } else { Err(row.to_string()) }
    });
    let took = killed.elapsed();
    assert!(took < Duration::from_millis(900), "back after {took:?}");
    assert_eq!((&after["restarts"], &after["last_exit"]), (&json!(1), &json!({"signal": 9})));
    eventually("it answers", || get(after["port"].as_u64().expect("a port"), "/health"));
    let others = |mut pids: std::collections::BTreeMap<String, u64>| {
        pids.remove("web.1");
        pids
    };
    assert_eq!(others(home.pids("hello")), others(before), "nobody else was touched");
}

#[test]
fn logs_are_told_apart_by_slot_and_followed_as_they_come() {
    let procfile = "web: faultapp --say from-web --tick 0.2\nworker: faultapp --say from-worker --log-stderr --tick 60\n";
    let home = Home::running("chat", procfile, &["--scale", "worker=1"]);
    let all = home.does(&["ps-lifecycle", "logs", "chat"]);
    assert!(all.contains("web.1 | from-web\n") && all.contains("worker.1 | from-worker\n"), "{all}");
    let web = home.does(&["ps-lifecycle", "logs", "chat", "web", "-n", "50"]);
    assert!(web.contains("web.1 | from-web\n") && !web.contains("worker"), "{web}");
    assert_eq!(home.does(&["ps-lifecycle", "logs", "chat", "worker.1", "-n", "0"]), "");
    let mut following = home.start(&["ps-lifecycle", "logs", "chat", "web", "-n", "0", "-f"]);
    let next = web.matches("tick").count() + 5;
    following.until_stdout_says(&format!("web.1 | web.1: tick {next}\n"));
}

#[test]
fn logs_are_followed_through_a_rotation() {
    let home = Home::running("turn", "web: faultapp --tick 0.5\n", &[]);
    let log = home.log_file("turn", "web.1");
    let followed = home.path("followed");
    let mut command = home.command(&["ps-lifecycle", "logs", "turn", "-f"]);
    let mut following =
        command.stdout(std::fs::File::create(&followed).expect("made")).spawn().expect("it starts");
    let await_ticks = |last: usize| {
        eventually("each tick is told once", || {
            let text = std::fs::read_to_string(&followed).unwrap_or_default();
            let ticks = text.lines().filter_map(|line| line.strip_prefix("web.1 | web.1: tick "));
            let ticks: Vec<usize> = ticks.filter_map(|tick| tick.parse().ok()).collect();
            let is_right = ticks.len() >= last && ticks.iter().copied().eq(1..=ticks.len());
            if is_right { Ok(ticks.len()) } else { Err(text) }
        })
    };
    let seen = await_ticks(2);
    std::fs::rename(&log, log.with_file_name("stdout.1")).expect("it can be renamed");
    // What is cut before it was read is gone: it is cut just after a tick was read.
    await_ticks(seen + 2);
    let seen = await_ticks(seen + 3);
    std::fs::File::create(&log).expect("it can be cut");
    await_ticks(seen + 2);
    following.kill().and_then(|()| following.wait()).expect("it is ours");
}

#[test]
fn restart_of_a_type_leaves_the_others_alone() {
    let home = Home::running(
        "duo",
        "web: faultapp --tick 5\nworker: faultapp --tick 5\n",
        &["--scale", "web=2", "worker=1"],
    );
    let before = home.pids("duo");
    home.does(&["ps-lifecycle", "restart", "duo", "web"]);
    let after = home.pids("duo");
    assert_eq!(before["worker.1"], after["worker.1"]);
    assert!(before["web.1"] != after["web.1"] && before["web.2"] != after["web.2"], "{before:?} {after:?}");
    home.does(&["ps-lifecycle", "restart", "duo", "web.2"]);
    let last = home.pids("duo");
    assert_eq!(after["web.1"], last["web.1"]);
    assert_ne!(after["web.2"], last["web.2"]);
}

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
    home.does(&["ps-lifecycle", "stop", "duo", "web.2"]);
    let states = table(&[("web.1", "running"), ("web.2", "stopped"), ("worker.1", "running")]);
    assert_eq!(home.states("duo"), states);
    home.does(&["ps-lifecycle", "stop", "duo", "worker"]);
    home.does(&["ps-lifecycle", "start", "duo", "web.2"]);
    let states = table(&[("web.1", "running"), ("web.2", "running"), ("worker.1", "stopped")]);
    assert_eq!(home.states("duo"), states);
    home.does(&["ps-lifecycle", "start", "duo"]);
    assert_eq!(home.pids("duo")["web.1"], before["web.1"], "what runs is left alone");
    assert_eq!(home.states("duo")["worker.1"], "running");
}

#[test]
fn rebuild_takes_the_source_anew_and_a_command_stays_the_command() {
    let home = Home::running("site", "web: faultapp --say one --tick 60\n", &[]);
    let source = home.source("site", "web: faultapp --say two --tick 60\n");
    home.does(&["ps-lifecycle", "rebuild", "site"]);
    let twos = |logs: &str| logs.matches("web.1 | two\n").count();
    let before = twos(&home.does(&["ps-lifecycle", "logs", "site"]));
    assert!(before > 0);
    home.does(&[
        "ps-lifecycle",
        "deploy",
        "site",
        "--dir",
        &source,
        "--command",
        "faultapp --say three --tick 60",
    ]);
    home.does(&["ps-lifecycle", "rebuild", "site"]);
    let logs = home.does(&["ps-lifecycle", "logs", "site"]);
    assert!(logs.contains("web.1 | three\n"), "{logs}");
    assert_eq!(twos(&logs), before, "the Procfile of the directory was not asked again: {logs}");
}
