//! It is said of each process when it is ready, and nothing is ended because it is not.

use std::fs;
use std::net::TcpListener;

use rustix::process::Signal;

use super::Source;
use crate::service::programs;

fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound").port().to_string()
}

#[test]
fn a_web_that_listens_is_said_to_be_ready_and_so_is_what_app_json_asks_of_others() {
    let procfile = "web: until [ -e go ]; do sleep 0.01; done; exec faultapp --listen\n\
                    worker: exec sleep 1000\nclock: exec sleep 1000\n";
    let app_json = r#"{"healthchecks": {"worker": [
        {"type": "startup", "command": ["sh", "-c", "test -e go || { echo no file; exit 3; }"], "attempts": 1000, "wait": 1}
    ]}}"#;
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", programs().display());
    let source = Source::new(procfile).file("app.json", app_json).variable("PATH", &path);
    let port = free_port();
    let running = source.start(&["--port", &port, "--no-color"]);
    running.await_err("worker.1 | not ready yet: did not pass the check `sh");
    fs::write(source.path().join("go"), "").expect("written");
    running.await_err(&format!("web.1    | ready (port {port})\n"));
    running.await_err("worker.1 | ready\n");
    running.signal(Signal::INT);
    let ended = running.end();
    assert_eq!(ended.err.matches("| ready").count(), 2, "nothing is asked of clock: {}", ended.err);
    assert!(ended.status.success(), "{}", ended.err);
}

#[test]
fn what_is_not_ready_in_time_is_told_and_runs_on() {
    let app_json = r#"{"formation": {"web": {"start_timeout_seconds": 1}, "worker": {"start_timeout_seconds": 1, "ready": "notify"}}}"#;
    let source = Source::new("web: exec sleep 1000\nworker: exec sleep 1000\n").file("app.json", app_json);
    let port = free_port();
    let running = source.start(&["--port", &port, "--no-color", "-m", "all=1"]);
    running.await_err(&format!("web.1    | not ready: nobody listens on port {port} after 1 s\n"));
    running.await_err("worker.1 | not ready: did not say READY=1 within 1 s\n");
    assert_eq!(source.processes().len(), 2);
    running.signal(Signal::INT);
    let ended = running.end();
    assert!(!ended.err.contains("starts again") && ended.status.success(), "{}", ended.err);
}

#[test]
fn what_fails_its_liveness_check_is_started_again_and_what_nobody_starts_again_is_told_of() {
    let app_json = r#"{"formation": {"job": {"restart_policy": "no"}}, "healthchecks": {
        "worker": [{"type": "liveness", "command": ["test", "-e", "alive"], "attempts": 2, "wait": 1}],
        "job": [{"type": "liveness", "command": ["test", "-e", "alive"], "attempts": 2, "wait": 1}],
        "clock": [{"type": "readiness", "command": ["test", "-e", "alive"], "attempts": 2, "wait": 1}]
    }}"#;
    let procfile = "worker: exec sleep 1000\njob: exec sleep 1000\nclock: exec sleep 1000\n";
    let source = Source::new(procfile).file("app.json", app_json).file("alive", "");
    let running = source.start(&["--port", &free_port(), "--no-color"]);
    for name in ["worker.1", "job.1   ", "clock.1 "] {
        running.await_err(&format!("{name} | ready\n"));
    }
    fs::remove_file(source.path().join("alive")).expect("it was there");
    running.await_err("worker.1 | unhealthy: did not pass the check `test -e alive`");
    running.await_err("worker.1 | ended by SIGTERM, starts again");
    running.await_err("job.1    | unhealthy: did not pass the check `test -e alive`");
    running.await_err("clock.1  | not ready: did not pass the check `test -e alive`");
    fs::write(source.path().join("alive"), "").expect("written");
    running.await_err("clock.1  | ready\n");
    running.signal(Signal::INT);
    let ended = running.end();
    assert!(!ended.err.contains("job.1    | ended by SIGTERM, starts"), "{}", ended.err);
    assert!(ended.status.success(), "{}", ended.err);
}
