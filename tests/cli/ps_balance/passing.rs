//! What clients see of the backends: all bytes, each end, and no refusal while one of them answers.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::world::{Balance, Server, backend, eventually, line, long, nobody};

/// Bytes that differ at every place.
fn bytes(count: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..count.div_ceil(8)).flat_map(|_| next()).take(count).collect()
}

#[test]
fn connections_are_spread_over_the_backends() {
    let (first, second) = (Server::named("first"), Server::named("second"));
    let balance = Balance::before(&[&first, &second], &[]);
    let mut clients: Vec<TcpStream> = (0..10).map(|_| balance.connect()).collect();
    let mut said = Vec::new();
    for client in &mut clients {
        client.write_all(b"?\n").expect("sent");
        said.push(line(client));
    }
    assert_eq!(said.iter().filter(|name| *name == "first").count(), 5, "{said:?}");
}

#[test]
fn weights_are_shares() {
    let (old, canary) = (Server::named("old"), Server::named("canary"));
    let words = [format!("{}=95", old.address), format!("{}=5", canary.address)];
    let balance = Balance::start(&["--backend", &words[0], "--backend", &words[1]]);
    let said: Vec<String> = (0..100).map(|_| balance.ask()).collect();
    assert_eq!(said.iter().filter(|name| *name == "canary").count(), 5);
}

#[test]
fn what_is_sent_arrives_whole_in_both_directions_and_each_side_may_end_first() {
    let echo = Server::echo_at_the_end();
    let balance = Balance::before(&[&echo], &[]);
    for count in [0, 1, 4_096, 32 * 1024, 32 * 1024 + 1, 300_000, 20_000_000] {
        let sent = bytes(count, count as u64);
        let mut client = balance.connect();
        let mut writer = client.try_clone().expect("a second handle");
        let copy = sent.clone();
        let writing = thread::spawn(move || {
            writer.write_all(&copy).expect("sent");
            writer.shutdown(Shutdown::Write).expect("ended");
        });
        let mut received = Vec::new();
        client.read_to_end(&mut received).expect("all of it");
        writing.join().expect("written");
        assert!(received == sent, "{count} bytes: {} arrived", received.len());
    }
}

#[test]
fn a_client_that_reads_slowly_gets_everything_and_others_are_served_meanwhile() {
    let big = bytes(8_000_000, 7);
    let sent = big.clone();
    let server = Server::new(move |mut stream| {
        let mut byte = [0];
        let _ = stream.read(&mut byte);
        let answer = if byte[0] == b'!' { &sent[..] } else { b"small\n" };
        let _ = stream.write_all(answer);
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let balance = Balance::before(&[&server], &[]);
    let mut slow = balance.connect();
    slow.write_all(b"!").expect("sent");
    let mut received = Vec::new();
    let mut part = vec![0; 50_000];
    while received.len() < big.len() {
        if received.len() < 1_000_000 {
            assert_eq!(balance.ask(), "small");
        }
        let read = slow.read(&mut part).expect("more");
        assert!(read > 0, "it ended after {} bytes", received.len());
        received.extend_from_slice(&part[..read]);
    }
    assert!(received == big);
}

#[test]
fn a_backend_that_refuses_is_passed_over() {
    let server = Server::named("there");
    let refusing = nobody().to_string();
    let balance = Balance::before(&[&server], &["--backend", &refusing]);
    for _ in 0..30 {
        assert_eq!(balance.ask(), "there");
    }
}

#[test]
fn a_backend_that_does_not_answer_is_passed_over() {
    let server = Server::named("there");
    // Its queue is full, so that further connects are not answered.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    rustix::net::listen(&silent, 0).expect("a short queue");
    let address = silent.local_addr().expect("bound");
    let _waiting: Vec<_> = (0..4)
        .filter_map(|_| TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok())
        .collect();
    let balance = Balance::before(&[&server], &["--backend", &address.to_string()]);
    for _ in 0..10 {
        assert_eq!(balance.ask(), "there");
    }
    let failed = &balance.supervisor().numbers()["backends"][1]["failed"];
    assert!(
        failed.as_u64().is_some_and(|failed| (1..=5).contains(&failed)),
        "it is not tried each time: {failed}"
    );
}

#[test]
fn a_backend_that_breaks_in_the_middle_is_seen_as_broken_not_as_ended() {
    let server = Server::new(|mut stream| {
        let _ = stream.write_all(b"half of\n");
        // Unread bytes make the kernel reset the connection.
        let mut byte = [0];
        let _ = stream.read(&mut byte);
    });
    let balance = Balance::before(&[&server], &[]);
    let mut client = balance.connect();
    client.write_all(b"more than is read").expect("sent");
    let mut received = Vec::new();
    let broken = client.read_to_end(&mut received).expect_err("a reset");
    assert_eq!(broken.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_client_that_breaks_is_seen_by_the_backend() {
    let (tell, told) = std::sync::mpsc::channel();
    let server = Server::new(move |mut stream| {
        let _ = stream.write_all(b"hello\n");
        let mut all = Vec::new();
        let _ = tell.send(stream.read_to_end(&mut all).map_err(|error| error.kind()));
    });
    let balance = Balance::before(&[&server], &[]);
    let client = balance.connect();
    // It does not read what it was sent.
    client.peek(&mut [0]).expect("it was greeted");
    drop(client);
    let seen = told.recv_timeout(crate::world::DEADLINE).expect("the backend is told");
    assert!(matches!(seen, Err(ErrorKind::ConnectionReset) | Ok(0)), "{seen:?}");
}

#[test]
fn very_many_connections_in_sequence_leave_nothing_behind() {
    let server = Server::named("there");
    let balance = Balance::before(&[&server], &[]);
    let count = long(1_000, 100_000);
    for _ in 0..count {
        drop(balance.connect());
    }
    crate::world::eventually("all of them are over", || {
        let numbers = balance.supervisor().numbers();
        if numbers["open"] == 0 { Ok(()) } else { Err(numbers.to_string()) }
    });
    assert_eq!(balance.ask(), "there");
    assert!(server.connections.load(Ordering::SeqCst) > count);
    assert!(balance.descriptors() < 60);
}

/// `localhost` is [::1] for some servers, such as those of Node.
#[test]
fn a_server_that_listens_on_the_other_loopback_address_alone_is_reached() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        return skipped::skip("this machine has no IPv6");
    };
    let port = listener.local_addr().expect("bound").port().to_string();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read_exact(&mut [0; 2]);
            let _ = stream.write_all(b"there\n");
        }
    });
    let balance = Balance::start(&["--listen", "0", "--backend", &port]);
    assert_eq!(balance.ask(), "there");
}

#[test]
fn a_list_may_ask_for_shares_by_count_and_a_slow_backend_gets_no_fewer_connections() {
    let (slow, quick) = (Server::named("slow"), Server::named("quick"));
    let balance = Balance::start(&[]);
    let mut supervisor = balance.supervisor();
    let backends = [backend("web.1", &slow, "ready"), backend("web.2", &quick, "ready")];
    for (revision, share, expected) in [(1, "load", 1), (2, "count", 20)] {
        let set = json!({"set": {"revision": revision, "share": share, "backends": backends}});
        supervisor.say(&set);
        assert_eq!(supervisor.hear_of("applied")["revision"], revision);
        // Clients of the slow one keep their connections, those of the other end theirs.
        let mut kept = Vec::new();
        for _ in 0..40 {
            let open = supervisor.numbers()["open"].as_u64().expect("a number");
            assert_eq!(open, kept.len() as u64);
            let mut client = balance.connect();
            client.write_all(b"?\n").expect("sent");
            if line(&mut client) == "slow" {
                kept.push(client);
            } else {
                drop(client);
                let mut ended = || supervisor.numbers()["open"] == kept.len();
                eventually("it has ended", || if ended() { Ok(()) } else { Err("it is open".to_owned()) });
            }
        }
        assert_eq!(kept.len(), expected, "by {share}");
        drop(kept);
        eventually("all have ended", || match supervisor.numbers()["open"].as_u64() {
            Some(0) => Ok(()),
            open => Err(format!("{open:?}")),
        });
    }
}
