//! The sample app as a newcomer runs it, from the first deploy to a report; what tests of several verbs ask of it.

use std::collections::BTreeSet;

use rustix::process::{Pid, Signal};
use serde_json::{Value, json};

use crate::home::{self, Home, eventually, get, hello, slot, table};

const KEYS: [&str; 21] = [
    "address",
    "app",
    "container_id",
    "cpu_percent",
    "cpu_seconds",
    "index",
    "last_exit",
    "log_dropped_bytes",
    "memory_bytes",
    "oom_kills",
    "pid",
    "port",
    "process_type",
    "release",
    "restarts",
    "restarts_by_reason",
    "role",
    "run",
    "scheduler",
    "since",
    "state",
];

pub(crate) fn row(home: &Home, app: &str, name: &str) -> Value {
    home.status(app).into_iter().find(|row| slot(row) == name).expect("the slot is there")
}

pub(crate) fn answers(home: &Home, name: &str) {
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

pub(crate) fn hello_with_two_webs() -> Home {
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
fn a_killed_web_is_back_and_the_others_are_left_alone() {
    let _listening = home::listening();
    let home = hello_with_two_webs();
    let before = home.pids("hello");
    let pid = i32::try_from(before["web.1"]).expect("a pid");
    rustix::process::kill_process(Pid::from_raw(pid).expect("a pid"), Signal::KILL).expect("it lives");
    let after = eventually("another process runs in its place", || {
        let row = row(&home, "hello", "web.1");
        let is_back = row["state"] == "running" && row["pid"].as_u64() != Some(before["web.1"]);
        if is_back { Ok(row) } else { Err(row.to_string()) }
    });
    assert_eq!((&after["restarts"], &after["last_exit"]), (&json!(1), &json!({"signal": 9})));
    eventually("it answers", || get(after["port"].as_u64().expect("a port"), "/health"));
    let others = |mut pids: std::collections::BTreeMap<String, u64>| {
        pids.remove("web.1");
        pids
    };
    assert_eq!(others(home.pids("hello")), others(before), "nobody else was touched");
}
