//! Clients that keep their connection and ask for nothing at the moment: they cost little, and lose nothing.

use std::io::{BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use rustix::process::Signal;
use serde_json::json;

use crate::http::{Client, answer, http, named, reply, requests};
use crate::secure::Secure;
use crate::world::{Balance, DEADLINE, backend, eventually};

const GET: &str = "GET / HTTP/1.1\r\nHost: shop\r\n\r\n";

#[test]
fn a_client_without_a_request_takes_little_memory() {
    // Enough that most of them rest.
    const CLIENTS: usize = 500;
    let server = named("there");
    let balance = Balance::before(&[&server], &["--http"]);
    // What the first requests take for good.
    assert_eq!(Client::of(&balance).get("").1, "there");
    let before = balance.memory();
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| Client::of(&balance)).collect();
    for client in &mut clients {
        assert_eq!(client.get("").1, "there");
    }
    let answered = balance.memory() - before;
    assert!(answered < 12 * CLIENTS, "{answered} KiB for {CLIENTS} clients that were answered");
    let silent: Vec<TcpStream> = (0..CLIENTS).map(|_| balance.connect()).collect();
    eventually("all are there", || {
        let open = balance.supervisor().numbers()["open"].clone();
        if open == 2 * CLIENTS { Ok(()) } else { Err(open.to_string()) }
    });
    let silent_ones = balance.memory() - before - answered;
    assert!(silent_ones < 10 * CLIENTS, "{silent_ones} KiB for {CLIENTS} clients that were silent");
    for client in &mut clients {
        assert_eq!(client.get("").1, "there");
    }
    drop(silent);
}

/// More than are kept awake while one is busy.
const MANY: usize = 130;

/// Sends requests in pieces that are not those of the requests, and expects an answer to each. The clients take turns, so that most of them
/// rest from one piece to the next.
fn ask_in_pieces<S: Read + Write>(clients: &mut [BufReader<S>]) {
    let (begin, end) = GET.split_at(20);
    let mut ask = |text: &str, answers: usize| {
        for client in clients.iter_mut() {
            client.get_mut().write_all(text.as_bytes()).expect("sent");
            client.get_mut().flush().expect("sent");
            for _ in 0..answers {
                assert_eq!(answer(client).expect("an answer").1, "there");
            }
        }
    };
    ask(GET, 1);
    ask(&format!("{GET}{GET}{begin}"), 2);
    ask(end, 1);
    ask(&format!("\r\n{GET}"), 1);
    for piece in GET.as_bytes().chunks(17) {
        ask(std::str::from_utf8(piece).expect("text"), 0);
    }
    ask("", 1);
    ask(&GET.repeat(40), 40);
    ask(GET, 1);
}

#[test]
fn requests_that_come_in_any_pieces_are_answered_in_turn() {
    let server = named("there");
    let secure = Secure::before(&[&server], &["--http"]);
    ask_in_pieces(&mut (0..MANY).map(|_| BufReader::new(secure.balance.connect())).collect::<Vec<_>>());
    ask_in_pieces(&mut (0..MANY).map(|_| BufReader::new(secure.connect(&["http/1.1"]))).collect::<Vec<_>>());
}

#[test]
fn a_client_whose_last_answer_came_from_a_backend_that_is_drained_is_not_cut() {
    let (go, may_go) = mpsc::channel();
    let may_go = Mutex::new(may_go);
    let old = http(move |asked| {
        if asked.head.starts_with("GET /slow") {
            let _ = may_go.lock().expect("no panic").recv_timeout(DEADLINE);
        }
        "old".to_owned()
    });
    let new = named("new");
    let balance = Balance::start(&["--http"]);
    let mut supervisor = balance.supervisor();
    supervisor.set(1, &[backend("web.1", &old, "ready")]);
    let mut idle: Vec<Client> = (0..MANY).map(|_| Client::of(&balance)).collect();
    for client in &mut idle {
        assert_eq!(client.get("").1, "old");
    }
    let mut slow = Client::of(&balance);
    slow.send("GET /slow HTTP/1.1\r\nHost: shop\r\n\r\n");
    eventually("the request is on its way", || {
        let open = supervisor.numbers()["backends"][0]["open"].clone();
        if open == 1 { Ok(()) } else { Err(open.to_string()) }
    });
    let backends = [backend("web.2", &new, "ready")];
    supervisor.say(&json!({"set": {"revision": 2, "drain_seconds": 1, "backends": backends}}));
    supervisor.hear_of("applied");
    assert_eq!(supervisor.hear_of("drained")["cut"], 1);
    for client in &mut idle {
        assert_eq!(client.get("").1, "new", "by the same connection");
    }
    let _ = go.send(());
}

#[test]
fn a_request_that_was_sent_before_the_program_was_told_to_end_is_answered() {
    let server = named("there");
    let mut balance = Balance::before(&[&server], &["--http"]);
    let mut clients: Vec<Client> = (0..MANY).map(|_| Client::of(&balance)).collect();
    for client in &mut clients {
        assert_eq!(client.get("").1, "there");
    }
    // What comes meanwhile is there at once when it goes on.
    balance.signal(Signal::STOP);
    for client in &mut clients {
        client.send(GET);
    }
    balance.signal(Signal::TERM);
    balance.signal(Signal::CONT);
    for client in &mut clients {
        assert_eq!(answer(&mut client.0).expect("an answer").1, "there");
        assert_eq!(client.0.read(&mut [0]).expect("an end"), 0, "nothing is served any more");
    }
    assert_eq!(balance.ended(), Some(0));
}

/// A request that ends each server that gets it: it goes to a second one at most, where the first may have closed an idle connection.
#[test]
fn a_request_that_ends_servers_does_not_go_from_one_to_the_next() {
    let got = Arc::new(AtomicUsize::new(0));
    let ports: Vec<String> = (0..4).map(|_| mortal(&got).to_string()).collect();
    let words = ports.iter().flat_map(|port| ["--backend", port.as_str()]);
    let balance = Balance::start(&["--listen", "0", "--http"].into_iter().chain(words).collect::<Vec<_>>());
    let mut client = Client::of(&balance);
    for _ in 0..8 {
        // Each server has a connection that waits for the next request.
        assert_eq!(client.get("").1, "there");
    }
    let (head, _) = client.ask("GET /end HTTP/1.1\r\nHost: shop\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 502 "), "{head}");
    assert_eq!(got.load(Ordering::SeqCst), 2);
    assert_eq!(client.get("").1, "there", "the others are left");
}

/// A server that ends as soon as it is asked for `/end`, which is counted. The port that it listens on.
fn mortal(got: &Arc<AtomicUsize>) -> u16 {
    let listener = Arc::new(TcpListener::bind("127.0.0.1:0").expect("a port"));
    let (port, got) = (listener.local_addr().expect("bound").port(), Arc::clone(got));
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let (listener, got) = (Arc::clone(&listener), Arc::clone(&got));
            thread::spawn(move || {
                for asked in requests(&stream) {
                    if asked.head.starts_with("GET /end ") {
                        got.fetch_add(1, Ordering::SeqCst);
                        let _ = rustix::net::shutdown(&*listener, rustix::net::Shutdown::Both);
                        return;
                    }
                    let _ = reply(&mut stream, "there");
                }
            });
        }
    });
    port
}
