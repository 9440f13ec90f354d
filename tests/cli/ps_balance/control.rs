//! Orders: other backends, draining, numbers, the listening sockets, the end.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;
use serde_json::json;

use crate::world::{Balance, DEADLINE, Server, backend, eventually, line};

#[test]
fn a_backend_that_is_drained_keeps_its_connections_and_is_told_when_the_last_has_ended() {
    let (old, new) = (Server::named("old"), Server::named("new"));
    let balance = Balance::start(&[]);
    let mut supervisor = balance.supervisor();
    supervisor.set(1, &[backend("web.1/1", &old, "ready")]);
    let mut present = balance.connect();
    present.write_all(b"?\n").expect("sent");
    assert_eq!(line(&mut present), "old");
    supervisor.set(2, &[backend("web.1/1", &old, "drain"), backend("web.1/2", &new, "ready")]);
    for _ in 0..10 {
        assert_eq!(balance.ask(), "new");
    }
    present.write_all(b"?\n").expect("sent");
    assert_eq!(line(&mut present), "old");
    drop(present);
    let drained = supervisor.hear_of("drained");
    assert_eq!(drained, json!({"id": "web.1/1", "connections": 1, "drained": 1, "cut": 0, "release": 1}));
}

#[test]
fn what_outlives_the_drain_limit_is_cut_and_counted() {
    let server = Server::named("there");
    let balance = Balance::start(&[]);
    let mut supervisor = balance.supervisor();
    supervisor.set(1, &[backend("web.1/1", &server, "ready")]);
    let mut clients: Vec<TcpStream> = (0..3).map(|_| balance.connect()).collect();
    for client in &mut clients {
        client.write_all(b"?\n").expect("sent");
        assert_eq!(line(client), "there");
    }
    supervisor.say(&json!({"set": {"revision": 2, "drain_seconds": 1, "backends": []}}));
    assert_eq!(
        supervisor.hear_of("drained"),
        json!({"id": "web.1/1", "connections": 3, "drained": 0, "cut": 3, "release": 1})
    );
    for client in &mut clients {
        let ended = client.read(&mut [0]);
        assert!(ended.is_err() || ended.is_ok_and(|read| read == 0));
    }
}

#[test]
fn a_second_supervisor_is_told_what_happened_while_there_was_none() {
    let server = Server::named("there");
    let balance = Balance::start(&[]);
    let mut first = balance.supervisor();
    first.set(1, &[backend("web.1/1", &server, "ready")]);
    let mut client = balance.connect();
    client.write_all(b"?\n").expect("sent");
    assert_eq!(line(&mut client), "there");
    first.set(2, &[]);
    drop(first);
    assert_eq!(balance.supervisor().numbers()["open"], 1);
    drop(client);
    eventually("the connection is over", || {
        let mut looking = crate::world::Supervisor::of(
            std::os::unix::net::UnixStream::connect(&balance.control).expect("the control socket"),
        );
        let numbers = looking.numbers();
        if numbers["open"] == 0 { Ok(()) } else { Err(numbers.to_string()) }
    });
    assert_eq!(balance.supervisor().hear_of("drained")["id"], "web.1/1");
}

#[test]
fn requests_that_make_no_sense_are_refused_and_change_nothing() {
    let server = Server::named("there");
    let balance = Balance::before(&[&server], &[]);
    let mut supervisor = balance.supervisor();
    let web = backend("web.1", &server, "ready");
    for request in [
        json!({"set": {"revision": 1, "backends": [web, web]}}),
        json!({"set": {"revision": 1, "backends": [{"id": "web.1", "address": "nowhere", "state": "ready"}]}}),
        json!({"set": {"revision": 1, "backends": [{"id": "web.1", "address": server.address, "state": "odd"}]}}),
        json!({"jump": {}}),
        json!([1, 2]),
        json!({"hello": {"version": 2}}),
    ] {
        supervisor.say(&request);
        let refused = supervisor.hear_of("refused");
        assert!(refused["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{request}");
    }
    supervisor.stream.write_all(b"\xff\xfe not JSON\n\n").expect("sent");
    supervisor.hear_of("refused");
    assert_eq!(balance.ask(), "there");
}

#[test]
fn the_listening_sockets_are_handed_over() {
    let server = Server::named("there");
    let mut balance = Balance::before(&[&server], &[]);
    let mut supervisor = balance.supervisor();
    supervisor.say(&json!({"listeners": {}}));
    let mut bytes = [0; 4096];
    let received = passed_fds::receive(&supervisor.stream, &mut bytes).expect("a report");
    let text = String::from_utf8_lossy(&bytes[..received.bytes]).into_owned();
    assert!(text.contains(&balance.address.to_string()), "{text}");
    let listener: TcpListener = received.fds.into_iter().next().expect("a socket").into();
    // It is the same one: who connects after the program has gone waits there.
    balance.signal(Signal::KILL);
    balance.ended();
    let mut client = balance.connect();
    listener.set_nonblocking(false).expect("an open socket");
    let (mut accepted, _) = listener.accept().expect("it waits");
    accepted.write_all(b"here\n").expect("sent");
    assert_eq!(line(&mut client), "here");
}

#[test]
fn its_control_socket_is_for_its_user_alone() {
    let balance = Balance::start(&[]);
    let mode = std::fs::metadata(&balance.control).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn it_asks_to_leave_when_there_was_no_connection_for_a_while_and_leaves_when_it_may() {
    let mut balance = Balance::start(&["--quiet", "1"]);
    let mut supervisor = balance.supervisor();
    assert_eq!(supervisor.hear_of("idle")["seconds"], 1);
    supervisor.say(&json!({"leave": {}}));
    assert_eq!(balance.ended(), Some(0));
}

#[test]
fn a_signal_ends_it_with_its_last_connection() {
    let server = Server::named("there");
    let mut balance = Balance::before(&[&server], &[]);
    let mut client = balance.connect();
    client.write_all(b"?\n").expect("sent");
    assert_eq!(line(&mut client), "there");
    balance.signal(Signal::TERM);
    client.write_all(b"?\n").expect("sent");
    assert_eq!(line(&mut client), "there");
    drop(client);
    assert_eq!(balance.ended(), Some(0));
}

#[test]
fn the_end_waits_for_the_drain_limit_and_no_longer_and_a_second_signal_does_not_wait() {
    for (limit, signals) in [("1", 1), ("3600", 2)] {
        let server = Server::named("there");
        let mut balance = Balance::before(&[&server], &["--drain-limit", limit]);
        let mut client = balance.connect();
        client.write_all(b"?\n").expect("sent");
        assert_eq!(line(&mut client), "there");
        balance.signal(Signal::TERM);
        if signals == 2 {
            // Two signals at once would be one.
            eventually("it accepts no more", || {
                match TcpStream::connect_timeout(&balance.address, DEADLINE) {
                    Ok(mut accepted) => {
                        let _ = accepted.set_read_timeout(Some(std::time::Duration::from_millis(50)));
                        let _ = accepted.write_all(b"?\n");
                        match accepted.read(&mut [0]) {
                            Ok(1) => Err("it answers".to_owned()),
                            _ => Ok(()),
                        }
                    }
                    Err(_) => Ok(()),
                }
            });
            balance.signal(Signal::TERM);
        }
        assert_eq!(balance.ended(), Some(0));
    }
}

#[test]
fn it_takes_the_place_of_a_control_socket_that_nobody_serves_but_not_of_one_that_is_served() {
    let balance = Balance::start(&[]);
    let second = |path: &std::path::Path| {
        let mut second = std::process::Command::new(env!("CARGO_BIN_EXE_ps-balance"));
        second.args(["--listen", "0", "--control"]).arg(path);
        second
    };
    let refused = second(&balance.control).output().expect("it starts");
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("another ps-balance serves"), "{refused:?}");
    let stale = balance.directory().join("stale");
    drop(std::os::unix::net::UnixListener::bind(&stale).expect("a socket"));
    let mut started = second(&stale).stderr(std::process::Stdio::null()).spawn().expect("it starts");
    eventually("it serves", || {
        std::os::unix::net::UnixStream::connect(&stale).map(drop).map_err(|error| error.to_string())
    });
    started.kill().expect("it lives");
    started.wait().expect("it has ended");
}

#[test]
fn a_backend_that_resets_connections_or_answers_that_it_failed_is_counted_as_broken() {
    // What it was sent and has not read makes the end a reset.
    let resets = Server::new(|mut stream| drop(stream.read_exact(&mut [0])));
    let balance = Balance::before(&[&resets], &[]);
    let mut client = balance.connect();
    client.write_all(b"??\n").expect("sent");
    assert!(client.read(&mut [0]).is_err(), "a reset");
    let (fails, well) = (http_server("500 Internal Server Error"), http_server("404 Not Found"));
    for (words, server, broken) in [(&[][..], &fails, 0), (&["--http"], &fails, 1), (&["--http"], &well, 0)] {
        let balance = Balance::before(&[server], words);
        let mut client = balance.connect();
        client.write_all(b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n").expect("sent");
        client.read_to_end(&mut Vec::new()).expect("an answer");
        drop(client);
        is_broken(&balance, broken);
    }
    is_broken(&balance, 1);
}

fn http_server(status: &'static str) -> Server {
    Server::new(move |mut stream| {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            if !stream.read(&mut byte).is_ok_and(|read| read == 1) {
                return;
            }
            head.push(byte[0]);
        }
        let _ = stream.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes());
    })
}

/// Waits until one connection is over, of which so many are counted as broken, and its client has waited for some time.
fn is_broken(balance: &Balance, broken: u64) {
    let mut supervisor = balance.supervisor();
    eventually("it is counted", || {
        let numbers = supervisor.numbers();
        let backend = &numbers["backends"][0];
        let is_over = backend["connections"] == 1 && backend["open"] == 0;
        if is_over && backend["broken"] == broken { Ok(()) } else { Err(numbers.to_string()) }
    });
    let counts = supervisor.numbers()["latency"]["counts"].clone();
    let counts: Vec<u64> = serde_json::from_value(counts).expect("counts");
    assert_eq!(counts.iter().sum::<u64>(), 1);
}
