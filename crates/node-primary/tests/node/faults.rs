//! Workers that die, hang or send nonsense: clients of the others do not notice.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::time::Duration;

use node_primary::{Event, Oddity};
use rustix::process::Signal;
use serde_json::json;

use crate::clients::{get, gets};
use crate::fleet::{Fleet, app, node, port};

fn http(count: usize) -> Option<(Fleet, u16)> {
    let port = port();
    let mut fleet = Fleet::new(&node()?, app("http.js"), &[("PORT", port.to_string())]);
    fleet.start_all(count);
    Some((fleet, port))
}

#[test]
fn a_connection_that_was_handed_to_a_worker_that_dies_goes_to_another_one() {
    let Some((mut fleet, port)) = http(2) else { return };
    fleet.signal(1, Signal::STOP);
    // The stopped worker is sent one of these connections, and the other one answers the rest.
    let clients: Vec<_> = (0..4).map(|_| std::thread::spawn(move || get(port))).collect();
    fleet.until("all but one are answered", |_| clients.iter().filter(|one| one.is_finished()).count() == 3);
    fleet.signal(1, Signal::KILL);
    for client in clients {
        let answer = fleet.wait_for(client).expect("an answer");
        assert_eq!(answer, format!("pid {}", fleet.workers[&2].id()));
    }
}

#[test]
fn connections_wait_while_the_only_worker_is_dead_until_the_next_one_listens() {
    let Some((mut fleet, port)) = http(1) else { return };
    fleet.signal(1, Signal::KILL);
    fleet.until("its end was heard", |fleet| fleet.primary.phase(1).is_none());
    let client = std::thread::spawn(move || get(port));
    let next = fleet.start();
    assert_eq!(fleet.wait_for(client), Ok(format!("pid {}", fleet.workers[&next].id())));
}

#[test]
fn a_worker_that_does_not_read_is_sent_no_more_than_a_bound_and_nobody_else_waits_for_it() {
    let Some((mut fleet, port)) = http(2) else { return };
    fleet.signal(1, Signal::STOP);
    let message = json!("x".repeat(10_000));
    let is_full = (0..1000).any(|_| fleet.primary.send(1, &message).is_err());
    assert!(is_full, "10 MB wait for a worker that does not read");
    let clients: Vec<_> = (0..10).map(|_| std::thread::spawn(move || get(port))).collect();
    fleet.until("all but one are answered", |_| clients.iter().filter(|one| one.is_finished()).count() >= 9);
    fleet.signal(1, Signal::CONT);
    for client in clients {
        fleet.wait_for(client).expect("an answer");
    }
    fleet.until("it takes what waited", |fleet| fleet.primary.send(1, &message).is_ok());
}

#[test]
fn garbage_and_a_message_of_100_mb_are_passed_over_and_the_worker_serves() {
    let Some(node) = node() else { return };
    let (port, size) = (port(), 100_000_000);
    let environment = [("PORT", port.to_string()), ("SIZE", size.to_string())];
    let mut fleet = Fleet::new(&node, app("odd.js"), &environment);
    fleet.start_all(1);
    let odd: Vec<Oddity> = fleet.events.iter().filter_map(oddity).collect();
    assert_eq!(
        odd,
        [Oddity::Garbage, Oddity::Garbage, Oddity::TooLong(size + "{\"big\":\"\"}".len() as u64)]
    );
    let peak = std::fs::read_to_string("/proc/self/status").expect("it is there");
    let peak = peak.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak").trim();
    let peak: u64 = peak.trim_end_matches(" kB").parse().expect("a number");
    assert!(peak < 64 << 10, "{peak} kB of memory for a line that nobody wants");
    assert_eq!(fleet.serve(move || gets(port, 3)).len(), 1);
}

fn oddity(event: &Event) -> Option<Oddity> {
    match event {
        Event::Odd(_, oddity) => Some(*oddity),
        _ => None,
    }
}

#[test]
fn a_connection_that_no_worker_has_room_for_is_closed_and_the_others_are_served() {
    let Some(node) = node() else { return };
    let port = port();
    let mut fleet = Fleet::new(&node, app("limited.js"), &[("PORT", port.to_string())]);
    fleet.start_all(2);
    let greeting = move |mut reader: BufReader<TcpStream>| {
        let mut line = String::new();
        reader.read_line(&mut line).map(|_| (line, reader))
    };
    let connect = move || {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
        BufReader::new(stream)
    };
    let (first, second) = (
        fleet.serve(move || greeting(connect()).expect("a line")),
        fleet.serve(move || greeting(connect()).expect("a line")),
    );
    let pids: BTreeSet<&String> = [&first.0, &second.0].into();
    assert_eq!(pids.len(), 2, "each worker has one: {pids:?}");
    let third = fleet.serve(move || {
        let mut said = Vec::new();
        connect().read_to_end(&mut said).map(|_| said)
    });
    assert!(third.is_err() || third.is_ok_and(|said| said.is_empty()));
    assert!(fleet.events.iter().any(|event| matches!(event, Event::Refused)));
    drop(first);
    // The worker of that client sees the end of the connection some time later.
    fleet.serve(move || while !greeting(connect()).is_ok_and(|(line, _)| line.starts_with("pid ")) {});
}
