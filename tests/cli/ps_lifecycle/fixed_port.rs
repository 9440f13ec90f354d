//! An app whose program listens on a port of its own choice, so that two of it cannot run at the same time.

use std::net::TcpListener;

use crate::home::{Home, eventually, get};

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

fn procfile(says: &str, port: u16) -> String {
    format!("web: exec faultapp --say {says} --listen {port}\n")
}

fn answers(port: u16) {
    eventually("it answers", || get(port.into(), "/health"));
}

#[test]
fn it_is_restarted_and_deployed_by_ending_the_instance_that_has_the_port() {
    let port = free_port();
    let home = Home::running("shop", &procfile("first", port), &[]);
    answers(port);
    let before = home.pids("shop");
    let told = home.run(&["ps-lifecycle", "restart", "shop"]);
    assert_eq!(told.status, Some(0), "{told:?}");
    let why = format!("web.1 listens on port {port}, whatever PORT is");
    assert!(told.stderr.contains(&why), "{told:?}");
    let restarted = home.pids("shop");
    assert_ne!(restarted, before);
    answers(port);
    let source = home.source("shop", &procfile("second", port));
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    assert_ne!(home.pids("shop"), restarted);
    answers(port);
    let processes = home.processes();
    assert!(processes.iter().any(|(_, words)| words.starts_with("faultapp --say second")), "{processes:?}");
}

#[test]
fn a_release_that_fails_there_leaves_the_earlier_one_running_again() {
    let port = free_port();
    let home = Home::running("shop", &procfile("first", port), &[]);
    answers(port);
    let source =
        home.source("shop", &format!("web: exec faultapp --listen {port} --exit-after 300 --exit-code 3\n"));
    let refused = home.run(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    refused.is_refused(1, &["web.1 of shop", "exit status 3"]);
    assert!(refused.stderr.contains("web.1 runs the earlier release again"), "{refused:?}");
    answers(port);
}

#[test]
fn an_instance_that_does_not_have_the_port_is_not_touched() {
    let (own, foreign) = (free_port(), TcpListener::bind("127.0.0.1:0").expect("a port"));
    let foreign = (foreign.local_addr().expect("it is bound").port(), foreign);
    let home = Home::running("shop", &procfile("first", own), &[]);
    answers(own);
    let before = home.pids("shop");
    let source = home.source("shop", &procfile("second", foreign.0));
    let refused = home.run(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    refused.is_refused(1, &["web.1 of shop"]);
    assert!(refused.stderr.contains(&foreign.0.to_string()), "{refused:?}");
    assert_eq!(home.pids("shop"), before);
}

/// Who chooses a strategy has thought about it.
#[test]
fn a_strategy_of_the_app_is_kept() {
    let port = free_port();
    let home = Home::new();
    home.write("shop/app.json", r#"{"formation": {"web": {"quantity": 1, "strategy": "one-by-one"}}}"#);
    let source = home.source("shop", &procfile("first", port));
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    answers(port);
    let before = home.pids("shop");
    let refused = home.run(&["ps-lifecycle", "restart", "shop"]);
    refused.is_refused(1, &["web.1 of shop"]);
    assert!(refused.stderr.contains("formation.web.strategy has to be stop-first"), "{refused:?}");
    assert_eq!(home.pids("shop"), before);
}
