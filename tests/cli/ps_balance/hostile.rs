//! Clients that mean harm, and backends that are broken: others are served, nothing is left behind, and it recovers by itself.

use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::crowds::limited;
use crate::http::{Client, answer, http, named, reply, requests};
use crate::secure::Secure;
use crate::world::{Balance, DEADLINE, Server, backend, connect, eventually, line, long};

const GET: &str = "GET / HTTP/1.1\r\nHost: shop\r\n\r\n";

/// Waits until as many descriptors are open as were before, and no connection is.
fn nothing_is_left(balance: &Balance, before: usize) {
    let mut supervisor = balance.supervisor();
    eventually("nothing is left behind", || {
        let (numbers, now) = (supervisor.numbers(), balance.descriptors());
        let is_quiet = numbers["open"] == 0
            && numbers["backends"].as_array().is_none_or(|all| all.iter().all(|it| it["open"] == 0));
        // One for this supervisor.
        if is_quiet && now <= before + 1 {
            Ok(())
        } else {
            Err(format!("{now} descriptors, {before} before: {numbers}"))
        }
    });
}

#[test]
fn a_backend_that_never_answers_holds_its_own_requests_and_no_others() {
    let (stuck, well) =
        (Server::new(|mut stream| drop(std::io::copy(&mut stream, &mut std::io::sink()))), named("there"));
    let balance = Balance::start(&["--http"]);
    let mut supervisor = balance.supervisor();
    supervisor.set(1, &[backend("web.1", &well, "ready")]);
    let before = balance.descriptors();
    supervisor.set(2, &[backend("web.1", &well, "ready"), backend("web.2", &stuck, "ready")]);
    let count = long(50, 1_000);
    // Each of these is answered, or waits for ever.
    let mut clients: Vec<Client> = (0..count).map(|_| Client::of(&balance)).collect();
    for client in &mut clients {
        client.send(GET);
    }
    eventually("one has answered its requests, and the other one has some", || {
        let numbers = supervisor.numbers();
        let [well, stuck] = [&numbers["backends"][0], &numbers["backends"][1]];
        let is_asked =
            [well, stuck].iter().filter_map(|it| it["connections"].as_u64()).sum::<u64>() == count as u64;
        let is_stuck = well["open"] == 0 && stuck["open"].as_u64() > Some(2);
        if is_asked && is_stuck { Ok(()) } else { Err(numbers.to_string()) }
    });
    // The one with fewer requests is asked.
    for _ in 0..20 {
        assert_eq!(Client::of(&balance).get("").1, "there");
    }
    drop(clients);
    supervisor.set(3, &[backend("web.1", &well, "ready")]);
    assert_eq!(Client::of(&balance).get("").1, "there");
    drop(supervisor);
    nothing_is_left(&balance, before);
}

#[test]
fn clients_that_do_not_read_cost_little_memory_and_are_ended_when_they_are_silent() {
    let big = vec![b'x'; 8_000_000];
    let server = Server::new(move |mut stream| {
        for asked in requests(&stream) {
            let done = if asked.head.starts_with("GET /big") {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", big.len());
                stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&big))
            } else {
                reply(&mut stream, "there")
            };
            if done.is_err() {
                return;
            }
        }
    });
    let count = long(30, 300);
    for tcp in [true, false] {
        let words: &[&str] = if tcp { &["--idle-limit", "2"] } else { &["--http", "--idle-limit", "2"] };
        let balance = Balance::before(&[&server], words);
        let (fds, memory) = (balance.descriptors(), balance.memory());
        let mut clients: Vec<TcpStream> = (0..count).map(|_| connect(balance.address)).collect();
        for (nth, client) in clients.iter_mut().enumerate() {
            client.write_all(b"GET /big HTTP/1.1\r\nHost: shop\r\n\r\n").expect("sent");
            // Every other one is half closed.
            if tcp && nth % 2 == 0 {
                client.shutdown(Shutdown::Write).expect("ended");
            }
        }
        assert_eq!(Client::of(&balance).get("").1, "there");
        let used = balance.memory().saturating_sub(memory);
        assert!(used < 2_000 + 600 * count, "{used} KiB for {count}");
        nothing_is_left(&balance, fds);
        drop(clients);
        assert_eq!(Client::of(&balance).get("").1, "there");
    }
}

#[test]
fn uploads_byte_by_byte_hold_nobody_up() {
    let server = http(|asked| format!("{}", asked.body.len()));
    let balance = Balance::before(&[&server], &["--http"]);
    let before = balance.descriptors();
    let count = long(100, 2_000);
    let mut slow: Vec<Client> = (0..count).map(|_| Client::of(&balance)).collect();
    for client in &mut slow {
        client.send("POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 4\r\n\r\na");
    }
    for byte in ["b", "c"] {
        assert_eq!(Client::of(&balance).get("").1, "0");
        for client in &mut slow {
            client.send(byte);
        }
    }
    for client in &mut slow[..count / 2] {
        client.send("d");
        assert_eq!(answer(&mut client.0).expect("an answer").1, "4");
    }
    // The others break off.
    drop(slow);
    nothing_is_left(&balance, before);
}

#[test]
fn heads_with_too_much_in_them_are_refused_and_leave_nothing_behind() {
    let server = named("there");
    let balance = Balance::before(&[&server], &["--http"]);
    let (before, memory) = (balance.descriptors(), balance.memory());
    let fields = "X: y\r\n".repeat(5_000);
    let path = "a".repeat(2_000_000);
    for request in [
        format!("GET / HTTP/1.1\r\nHost: shop\r\n{fields}\r\n"),
        format!("GET / HTTP/1.1\r\nHost: shop\r\nCookie: {path}\r\n\r\n"),
        format!("GET /{path} HTTP/1.1\r\nHost: shop\r\n\r\n"),
        format!("{path} / HTTP/1.1\r\nHost: shop\r\n\r\n"),
        path.clone(),
    ] {
        for _ in 0..20 {
            let mut client = connect(balance.address);
            // It may be refused before all of it is sent.
            let _ = client.write_all(request.as_bytes());
            let mut said = Vec::new();
            let _ = client.read_to_end(&mut said);
            let said = String::from_utf8_lossy(&said);
            assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{said}");
        }
        assert_eq!(Client::of(&balance).get("").1, "there");
    }
    nothing_is_left(&balance, before);
    assert!(balance.memory() < memory + 8_000, "{} KiB, {memory} before", balance.memory());
}

#[test]
fn a_backend_whose_answer_is_no_end_of_heads_or_contradicts_itself_is_a_bad_gateway() {
    let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "a".repeat(4_000_000));
    for garbage in [
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "HTTP/1.1 200 OK\r\nContent-Length: three\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "\u{16}\u{3}\u{1}\0\u{5}",
        endless.as_str(),
    ] {
        let text = garbage.to_owned();
        let server = Server::new(move |mut stream| {
            let _ = requests(&stream).next();
            let _ = stream.write_all(text.as_bytes());
        });
        let balance = Balance::before(&[&server], &["--http"]);
        let before = balance.descriptors();
        let mut client = Client::of(&balance);
        let (head, _) = client.get("");
        assert!(head.starts_with("HTTP/1.1 502"), "{:?}: {head}", &garbage[..garbage.len().min(80)]);
        let well = named("there");
        balance.supervisor().set(1, &[backend("web.1", &well, "ready")]);
        assert_eq!(client.get("").1, "there");
        drop(client);
        nothing_is_left(&balance, before);
    }
}

#[test]
fn one_client_with_more_requests_than_there_are_descriptors_is_served_when_some_are_free() {
    let (go, may_go) = mpsc::channel::<()>();
    let may_go = Arc::new(Mutex::new(may_go));
    let server = http(move |_| {
        // Until the sender is gone.
        let _ = may_go.lock().expect("no panic").recv_timeout(DEADLINE);
        "there".to_owned()
    });
    let directory = tempfile::tempdir().expect("a directory");
    // Of 84 descriptors 64 are set aside; the requests of one connection may use these up as well.
    let secure = Secure::start_program(&limited(&directory, 84), &[&server], &["--http"]);
    let mut client = crate::http2::Client::of(&secure);
    let count = 100;
    for nth in 0..count {
        client.ask(2 * nth + 1, &[], 1);
    }
    eventually("no descriptor is left", || {
        let now = secure.balance.descriptors();
        if now >= 80 { Ok(()) } else { Err(format!("{now} are open")) }
    });
    drop(go);
    for _ in 0..count {
        assert_eq!(client.hear_of(&[0]).expect("an answer").bytes, b"there");
    }
    let mut other = Client::of(&secure.balance);
    assert_eq!(other.get("").1, "there");
    drop((client, other));
    eventually("they are free again", || {
        let now = secure.balance.descriptors();
        if now < 30 { Ok(()) } else { Err(format!("{now} are open")) }
    });
}

#[test]
fn a_client_that_lets_answers_of_many_requests_wait_costs_little_memory() {
    let server = http(|_| "x".repeat(2_000_000));
    let secure = Secure::before(&[&server], &["--http"]);
    let (before, memory) = (secure.balance.descriptors(), secure.balance.memory());
    let mut client = crate::http2::Client::with_window(&secure, 0x7fff_ffff);
    for nth in 0..100 {
        client.ask(2 * nth + 1, &[], 1);
    }
    let mut supervisor = secure.balance.supervisor();
    eventually("they are on their way", || {
        let numbers = supervisor.numbers();
        if numbers["backends"][0]["connections"] == 100 { Ok(()) } else { Err(numbers.to_string()) }
    });
    assert!(Client::of(&secure.balance).get("").1.len() == 2_000_000);
    let used = secure.balance.memory().saturating_sub(memory);
    assert!(used < 70_000, "{used} KiB");
    drop((client, supervisor));
    nothing_is_left(&secure.balance, before);
}

#[test]
fn a_pause_and_a_drain_while_clients_break_off_leave_no_request_counted() {
    let server = named("there");
    let balance = Balance::start(&["--http"]);
    let mut supervisor = balance.supervisor();
    let web = backend("web.1", &server, "ready");
    supervisor.say(&json!({"set": {"revision": 1, "pause_seconds": 60, "backends": [web]}}));
    supervisor.hear_of("applied");
    let mut clients: Vec<Client> = (0..50).map(|_| Client::of(&balance)).collect();
    for client in &mut clients {
        client.send(GET);
    }
    eventually("they wait", || {
        let numbers = supervisor.numbers();
        if numbers["open"] == 50 { Ok(()) } else { Err(numbers.to_string()) }
    });
    clients.truncate(25);
    supervisor.set(2, &[web]);
    for client in &mut clients {
        assert_eq!(answer(&mut client.0).expect("an answer").1, "there");
    }
    drop(clients);
    eventually("all are over", || {
        let numbers = supervisor.numbers();
        let is_over = numbers["open"] == 0 && numbers["backends"][0]["open"] == 0;
        if is_over { Ok(()) } else { Err(numbers.to_string()) }
    });
}

#[test]
fn a_backend_that_breaks_off_again_and_again_leaves_nothing_behind() {
    let server = Server::new(|mut stream| {
        // It answers a third, breaks a third, and resets a third.
        match stream.read(&mut [0; 7]) {
            Ok(read) if read % 3 == 0 => {
                drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf"));
            }
            Ok(_) | Err(_) => {}
        }
    });
    let well = Server::named("there");
    let balance = Balance::start(&[]);
    let mut supervisor = balance.supervisor();
    supervisor.set(1, &[backend("web.1", &server, "ready")]);
    let before = balance.descriptors();
    for nth in 0..long(300, 5_000) {
        let mut client = BufReader::new(connect(balance.address));
        let _ = client.get_mut().write_all(&GET.as_bytes()[..nth % GET.len()]);
        let _ = client.get_mut().shutdown(Shutdown::Write);
        let _ = client.read_to_end(&mut Vec::new());
    }
    supervisor.set(2, &[backend("web.2", &well, "ready")]);
    let mut client = connect(balance.address);
    client.write_all(b"?\n").expect("sent");
    assert_eq!(line(&mut client), "there");
    drop((client, supervisor));
    nothing_is_left(&balance, before);
}
