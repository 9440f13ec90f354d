//! Reload after reload under load: every client numbers its requests, and accounts for every answer. A reload that forgets to
//! drain, and one that closes the address and binds it again, are seen by the same clients.

use std::io::{BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::Signal;

use crate::http::{answer, reply, requests};
use crate::world::{Balance, DEADLINE, Supervisor};

fn rounds(few: u64, many: u64) -> u64 {
    if std::env::var_os("FORMATION_TEST_LONG").is_some() { many } else { few }
}

/// An instance. It answers a request with its number, after a moment, and can be killed.
struct Instance {
    address: SocketAddr,
    open: Arc<Mutex<Vec<TcpStream>>>,
    is_over: Arc<AtomicBool>,
}

impl Instance {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let (open, is_over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (kept, over) = (Arc::clone(&open), Arc::clone(&is_over));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                kept.lock().expect("no panic").push(stream.try_clone().expect("a second handle"));
                thread::spawn(move || serve(stream));
            }
        });
        Self { address, open, is_over }
    }

    /// As if its process were killed: every connection of it is broken, and nobody listens any more.
    fn kill(self) {
        self.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        for stream in self.open.lock().expect("no panic").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn serve(mut stream: TcpStream) {
    for asked in requests(&stream) {
        let number = asked.head.split_whitespace().nth(1).unwrap_or_default().to_owned();
        thread::sleep(Duration::from_millis(3));
        if reply(&mut stream, &number).is_err() {
            break;
        }
    }
    // The other handle, by which it can be killed, keeps it open.
    let _ = stream.shutdown(Shutdown::Both);
}

/// What clients have seen.
#[derive(Default)]
struct Seen {
    connections: AtomicU64,
    answered: AtomicU64,
    failed: Mutex<Vec<String>>,
}

/// A client that asks until it is told to stop: with a new connection each time, or ten times on each.
fn client(address: SocketAddr, on_each: u64, seen: &Arc<Seen>, stop: &Arc<AtomicBool>) -> JoinHandle<()> {
    let (seen, stop) = (Arc::clone(seen), Arc::clone(stop));
    thread::spawn(move || {
        let mut number = 0;
        while !stop.load(Ordering::SeqCst) {
            if let Err(error) = ask(address, on_each, &mut number) {
                seen.failed.lock().expect("no panic").push(format!("request {number}: {error}"));
            } else {
                seen.connections.fetch_add(1, Ordering::SeqCst);
                seen.answered.fetch_add(on_each, Ordering::SeqCst);
            }
            thread::sleep(Duration::from_millis(5));
        }
    })
}

fn ask(address: SocketAddr, count: u64, number: &mut u64) -> std::io::Result<()> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    let mut reader = BufReader::new(stream);
    for _ in 0..count {
        *number += 1;
        let request = format!("GET /{number} HTTP/1.1\r\nHost: shop\r\n\r\n");
        reader.get_mut().write_all(request.as_bytes())?;
        let (head, body) = answer(&mut reader)?;
        if !head.starts_with("HTTP/1.1 200") || body != format!("/{number}") {
            return Err(std::io::Error::other(format!("{head}{body}")));
        }
    }
    Ok(())
}

/// How an old instance is ended.
#[derive(Clone, Copy, PartialEq)]
enum End {
    WhenDrained,
    /// The mistake.
    AtOnce,
}

fn set(supervisor: &mut Supervisor, revision: u64, ready: &Instance, old: Option<(u64, &Instance)>) {
    let of = |number: u64, it: &Instance, state: &str| serde_json::json!({"id": format!("web.1/{number}"), "address": it.address, "state": state});
    let old = old.map(|(number, it)| of(number, it, "drain"));
    let backends: Vec<_> = old.into_iter().chain([of(revision, ready, "ready")]).collect();
    supervisor.set(revision, &backends);
}

/// Reloads so often under the load of some clients: what they have seen, and how many connections or requests were counted.
fn reload(words: &[&str], count: u64, end: End) -> (Arc<Seen>, u64) {
    let balance = Balance::start(words);
    let mut supervisor = balance.supervisor();
    let mut present = Instance::start();
    set(&mut supervisor, 1, &present, None);
    let (seen, stop) = (Arc::new(Seen::default()), Arc::new(AtomicBool::new(false)));
    let clients: Vec<_> =
        [1, 1, 1, 10, 10, 10].map(|on_each| client(balance.address, on_each, &seen, &stop)).into();
    let (mut counted, mut last) = (0, 1);
    for revision in 2..count + 2 {
        // What is to be seen may come at any of them.
        if end == End::AtOnce && !seen.failed.lock().expect("no panic").is_empty() {
            break;
        }
        last = revision;
        let next = Instance::start();
        set(&mut supervisor, revision, &next, Some((revision - 1, &present)));
        let old = std::mem::replace(&mut present, next);
        if end == End::WhenDrained {
            let drained = supervisor.hear_of("drained");
            counted += drained["connections"].as_u64().expect("a number");
            assert_eq!(
                (&drained["id"], &drained["cut"]),
                (&format!("web.1/{}", revision - 1).into(), &0.into())
            );
        }
        old.kill();
        thread::sleep(Duration::from_millis(10));
    }
    stop.store(true, Ordering::SeqCst);
    for client in clients {
        client.join().expect("no panic");
    }
    let numbers = supervisor.numbers();
    let id = format!("web.1/{last}");
    let last = numbers["backends"].as_array().and_then(|all| all.iter().find(|it| it["id"] == id));
    (seen, counted + last.and_then(|last| last["connections"].as_u64()).expect("the last one"))
}

#[test]
fn reloads_under_load_fail_no_request_and_are_counted_as_the_clients_count() {
    for words in [&[][..], &["--http"]] {
        let (seen, counted) = reload(words, rounds(20, 500), End::WhenDrained);
        let failed = seen.failed.lock().expect("no panic");
        assert!(failed.is_empty(), "{words:?}: {} failed: {:?}", failed.len(), failed[0]);
        assert!(seen.answered.load(Ordering::SeqCst) > 100, "there was a load");
        let count = if words.is_empty() { &seen.connections } else { &seen.answered };
        assert_eq!(counted, count.load(Ordering::SeqCst), "{words:?}");
    }
}

#[test]
fn a_reload_that_forgets_to_drain_is_seen() {
    for words in [&[][..], &["--http"]] {
        let (seen, _) = reload(words, 1_000, End::AtOnce);
        assert!(!seen.failed.lock().expect("no panic").is_empty(), "{words:?}: nobody has noticed");
    }
}

#[test]
fn an_address_that_is_closed_and_bound_again_is_seen() {
    let instance = Instance::start();
    let mut balance = Balance::start(&["--backend", &instance.address.to_string()]);
    let (seen, stop) = (Arc::new(Seen::default()), Arc::new(AtomicBool::new(false)));
    let clients: Vec<_> = [1, 1, 1].map(|on_each| client(balance.address, on_each, &seen, &stop)).into();
    let address = balance.address.to_string();
    for _ in 0..100 {
        if !seen.failed.lock().expect("no panic").is_empty() {
            break;
        }
        balance.signal(Signal::TERM);
        balance.ended();
        balance = Balance::start(&["--listen", &address, "--backend", &instance.address.to_string()]);
    }
    stop.store(true, Ordering::SeqCst);
    for client in clients {
        client.join().expect("no panic");
    }
    assert!(!seen.failed.lock().expect("no panic").is_empty(), "nobody has noticed");
}
