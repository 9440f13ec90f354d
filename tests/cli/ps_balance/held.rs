//! Connections wait while no backend is ready.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::world::{Balance, Server, backend, eventually, line, nobody};

#[test]
fn connections_wait_for_the_first_backend() {
    let server = Server::named("there");
    let balance = Balance::start(&[]);
    let mut client = balance.connect();
    client.write_all(b"?\n").expect("sent");
    let mut supervisor = balance.supervisor();
    supervisor.set(1, &[backend("web.1", &server, "ready")]);
    assert_eq!(line(&mut client), "there");
}

#[test]
fn connections_wait_while_every_backend_refuses() {
    let balance = Balance::start(&["--backend", &nobody().to_string()]);
    let mut client = balance.connect();
    client.write_all(b"?\n").expect("sent");
    let mut supervisor = balance.supervisor();
    eventually("it is tried again and again", || {
        let failed = supervisor.numbers()["backends"][0]["failed"].clone();
        if failed.as_u64() > Some(2) { Ok(()) } else { Err(failed.to_string()) }
    });
    let server = Server::named("there");
    supervisor.set(1, &[backend("web.1", &server, "ready")]);
    assert_eq!(line(&mut client), "there");
    assert_eq!(supervisor.numbers()["refused"], 0);
}

#[test]
fn who_has_waited_as_long_as_is_allowed_is_refused() {
    let balance = Balance::start(&["--hold", "1"]);
    let begin = Instant::now();
    let mut client = balance.connect();
    let ended = client.read(&mut [0]);
    assert!(ended.is_err() || ended.is_ok_and(|read| read == 0));
    assert!(begin.elapsed() >= Duration::from_secs(1));
    assert_eq!(balance.supervisor().numbers()["refused"], 1);
}

#[test]
fn a_pause_holds_new_connections_and_leaves_present_ones_alone() {
    let server = Server::named("there");
    let balance = Balance::start(&[]);
    let mut supervisor = balance.supervisor();
    supervisor.set(1, &[backend("web.1", &server, "ready")]);
    let mut present = balance.connect();
    present.write_all(b"?\n").expect("sent");
    assert_eq!(line(&mut present), "there");
    let web = backend("web.1", &server, "ready");
    supervisor.say(&json!({"set": {"revision": 2, "pause_seconds": 60, "backends": [web]}}));
    assert_eq!(supervisor.hear_of("applied")["revision"], 2);
    let mut held = balance.connect();
    held.write_all(b"?\n").expect("sent");
    present.write_all(b"?\n").expect("sent");
    assert_eq!(line(&mut present), "there");
    held.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
    assert!(held.read(&mut [0]).is_err(), "it is held");
    held.set_read_timeout(Some(crate::world::DEADLINE)).expect("a timeout");
    supervisor.set(3, &[backend("web.1", &server, "ready")]);
    assert_eq!(line(&mut held), "there");
}

#[test]
fn a_connection_that_is_silent_for_too_long_is_ended() {
    let server = Server::named("there");
    let balance = Balance::before(&[&server], &["--idle-limit", "1"]);
    let mut client = balance.connect();
    let begin = Instant::now();
    client.write_all(b"?\n").expect("sent");
    assert_eq!(line(&mut client), "there");
    let ended = client.read(&mut [0]);
    assert!(ended.is_err() || ended.is_ok_and(|read| read == 0));
    assert!(begin.elapsed() >= Duration::from_millis(900));
}
