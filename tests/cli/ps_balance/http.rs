//! Request by request: connections are kept on both sides, nothing is buffered, and what is ambiguous goes no further.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::world::{Balance, DEADLINE, Server, backend, line, nobody};

/// A request as a server of these tests sees it.
pub(crate) struct Asked {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// Reads requests one after another, until the client ends.
pub(crate) fn requests(stream: &TcpStream) -> impl Iterator<Item = Asked> + use<> {
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    std::iter::from_fn(move || {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let lower = head.to_lowercase();
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body).ok()?;
        Some(Asked { head, body })
    })
}

/// Answers with a text.
pub(crate) fn reply(stream: &mut TcpStream, text: &str) -> std::io::Result<()> {
    let length = text.len();
    stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{text}").as_bytes())
}

/// A server that answers each request with what `service` makes of it.
pub(crate) fn http(service: impl Fn(&Asked) -> String + Send + Sync + 'static) -> Server {
    Server::new(move |mut stream| {
        for asked in requests(&stream) {
            if reply(&mut stream, &service(&asked)).is_err() {
                return;
            }
        }
    })
}

/// A server that answers each request with its name.
pub(crate) fn named(name: &'static str) -> Server {
    http(move |_| name.to_owned())
}

/// Reads an answer with a length: its head and its body.
pub(crate) fn answer(reader: &mut impl BufRead) -> std::io::Result<(String, String)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    let lower = head.to_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    Ok((head, String::from_utf8(body).expect("text")))
}

/// Asks on a connection that is kept.
pub(crate) struct Client(pub(crate) BufReader<TcpStream>);

impl Client {
    pub(crate) fn of(balance: &Balance) -> Self {
        Self(BufReader::new(balance.connect()))
    }

    pub(crate) fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).expect("sent");
    }

    pub(crate) fn ask(&mut self, text: &str) -> (String, String) {
        self.send(text);
        answer(&mut self.0).expect("an answer")
    }

    pub(crate) fn get(&mut self, fields: &str) -> (String, String) {
        self.ask(&format!("GET / HTTP/1.1\r\nHost: shop.example\r\n{fields}\r\n"))
    }
}

#[test]
fn connections_are_kept_on_both_sides_and_requests_are_spread() {
    let (first, second) = (named("first"), named("second"));
    let balance = Balance::before(&[&first, &second], &["--http"]);
    let mut client = Client::of(&balance);
    let said: Vec<String> = (0..40).map(|_| client.get("").1).collect();
    assert_eq!(said.iter().filter(|name| *name == "first").count(), 20, "{said:?}");
    assert!(first.connections.load(Ordering::SeqCst) < 10 && second.connections.load(Ordering::SeqCst) < 10);
    let numbers = balance.supervisor().numbers();
    assert_eq!((&numbers["accepted"], &numbers["backends"][0]["connections"]), (&json!(1), &json!(20)));
}

#[test]
fn backends_are_told_who_the_client_is_and_strangers_cannot_say() {
    let server = http(|asked| asked.head.clone());
    let forged = "X-Forwarded-For: 10.0.0.1\r\nX_Forwarded_For: 10.0.0.1\r\nForwarded: for=10.0.0.1\r\n";
    let balance = Balance::before(&[&server], &["--http"]);
    let (_, head) = Client::of(&balance).get(forged);
    assert!(!head.contains("10.0.0.1") && head.contains("x-forwarded-for: 127.0.0.1\r\n"), "{head}");
    assert!(head.contains("x-forwarded-proto: http\r\n"), "{head}");
    let port = balance.address.port();
    assert!(head.contains(&format!("x-forwarded-port: {port}\r\n")), "{head}");
    let balance = Balance::before(&[&server], &["--http", "--trust-proxy", "127.0.0.0/8"]);
    let (_, head) = Client::of(&balance).get(forged);
    assert!(head.contains("x-forwarded-for: 10.0.0.1, 127.0.0.1\r\n"), "{head}");
}

#[test]
fn a_websocket_goes_both_ways_and_counts_until_it_ends() {
    let server = Server::new(|mut stream| {
        if let Some(asked) = requests(&stream).next() {
            assert!(asked.head.to_lowercase().contains("upgrade: websocket"), "{}", asked.head);
            let _ = stream.write_all(
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
            );
            let mut echo = stream.try_clone().expect("a second handle");
            let _ = std::io::copy(&mut stream, &mut echo);
        }
    });
    let balance = Balance::start(&["--http"]);
    let mut supervisor = balance.supervisor();
    supervisor.set(1, &[backend("web.1", &server, "ready")]);
    let mut clients: Vec<Client> = (0..2).map(|_| Client::of(&balance)).collect();
    for client in &mut clients {
        let (head, _) = client.get("Connection: Upgrade\r\nUpgrade: websocket\r\n");
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        client.send("a frame\n");
        let mut frame = String::new();
        client.0.read_line(&mut frame).expect("a frame");
        assert_eq!(frame, "a frame\n");
    }
    assert_eq!(supervisor.numbers()["backends"][0]["open"], 2);
    supervisor.say(&json!({"set": {"revision": 2, "drain_seconds": 1, "backends": []}}));
    supervisor.hear_of("applied");
    drop(clients.pop());
    assert_eq!(
        supervisor.hear_of("drained"),
        json!({"id": "web.1", "connections": 2, "drained": 1, "cut": 1, "release": 1})
    );
}

#[test]
fn events_of_a_server_and_parts_of_an_upload_are_passed_on_at_once() {
    let (tell, told) = mpsc::channel();
    let (go, may_go) = mpsc::channel();
    let may_go = Arc::new(Mutex::new(may_go));
    let server = Server::new(move |mut stream| {
        let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).is_ok_and(|read| read > 0) {}
        let mut part = [0; 5];
        while reader.read_exact(&mut part).is_ok() {
            let _ = tell.send(part);
            if part == *b"last!" {
                break;
            }
        }
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n");
        let _ = may_go.lock().expect("no panic").recv_timeout(DEADLINE);
        let _ = stream.write_all(b"data: 2\n\n");
    });
    let balance = Balance::before(&[&server], &["--http"]);
    let mut client = Client::of(&balance);
    client.send("POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 10\r\n\r\nfirst");
    assert_eq!(told.recv_timeout(DEADLINE).as_ref(), Ok(b"first"));
    client.send("last!");
    assert_eq!(told.recv_timeout(DEADLINE).as_ref(), Ok(b"last!"));
    let mut seen = String::new();
    while !seen.contains("data: 1\n") {
        assert!(client.0.read_line(&mut seen).expect("the first event") > 0, "{seen}");
    }
    go.send(()).expect("it waits");
    while !seen.contains("data: 2\n") {
        assert!(client.0.read_line(&mut seen).expect("the second event") > 0, "{seen}");
    }
}

#[test]
fn an_upload_goes_on_while_its_answer_has_filled_all_buffers() {
    const BYTES: usize = 32 << 20;
    let server = Server::new(|mut stream| {
        let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).is_ok_and(|read| read > 0) {}
        let reading =
            thread::spawn(move || std::io::copy(&mut reader.take(BYTES as u64), &mut std::io::sink()));
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {BYTES}\r\n\r\n");
        let _ = stream.write_all(&vec![b'a'; BYTES]);
        let _ = reading.join();
    });
    let balance = Balance::before(&[&server], &["--http"]);
    let mut client = Client::of(&balance);
    client.0.get_ref().set_write_timeout(Some(DEADLINE)).expect("a timeout");
    client.send(&format!("POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: {BYTES}\r\n\r\n"));
    client.0.get_mut().write_all(&vec![b'u'; BYTES]).expect("all of it is taken before the answer is read");
    let (_, body) = answer(&mut client.0).expect("an answer");
    assert_eq!(body.len(), BYTES);
}

/// The backend reads the head alone, so that its socket is reset when it closes it.
#[test]
fn an_answer_that_comes_before_the_end_of_an_upload_reaches_the_client() {
    let server = Server::new(|mut stream| {
        let mut begin = [0; 64];
        let _ = stream.read(&mut begin);
        let _ = stream.write_all(
            b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n",
        );
    });
    let balance = Balance::before(&[&server], &["--http"]);
    for time in 0..40 {
        let stream = balance.connect();
        let mut sender = stream.try_clone().expect("a second handle");
        let sending = std::thread::spawn(move || {
            let head = "POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 8000000\r\n\r\n";
            // The rest is not wanted once the answer is there.
            let _ = sender.write_all(head.as_bytes()).and_then(|()| sender.write_all(&vec![b'x'; 8_000_000]));
        });
        let (head, body) = answer(&mut BufReader::new(stream)).expect("an answer");
        assert!(head.starts_with("HTTP/1.1 413 ") && body == "no\n", "upload {time}: {head}{body}");
        sending.join().expect("no panic");
    }
}

#[test]
fn a_cookie_leads_back_while_its_backend_is_ready() {
    let (first, second) = (named("first"), named("second"));
    let balance = Balance::start(&["--http", "--sticky", "instance"]);
    let mut supervisor = balance.supervisor();
    let both = |state| [backend("web.1", &first, state), backend("web.2", &second, "ready")];
    supervisor.set(1, &both("ready"));
    let mut client = Client::of(&balance);
    let (head, _) = client.get("");
    assert!(head.to_lowercase().contains("set-cookie: instance=web."), "{head}");
    for _ in 0..10 {
        let (head, name) = client.get("Cookie: other=1; instance=web.1\r\n");
        assert_eq!(name, "first");
        assert!(!head.to_lowercase().contains("set-cookie"), "{head}");
    }
    supervisor.set(2, &both("drain"));
    let (head, name) = client.get("Cookie: instance=web.1\r\n");
    assert_eq!(name, "second");
    assert!(head.contains("instance=web.2"), "{head}");
}

#[test]
fn a_page_says_when_to_come_back_where_nothing_is_ready_and_a_pause_holds_requests() {
    let balance = Balance::start(&["--http", "--hold", "1"]);
    let mut client = Client::of(&balance);
    let begin = Instant::now();
    let (head, page) = client.get("");
    assert!(begin.elapsed() >= Duration::from_secs(1));
    assert!(head.starts_with("HTTP/1.1 503") && head.to_lowercase().contains("retry-after: 5"), "{head}");
    assert!(page.contains("try again"), "{page}");
    let server = named("there");
    let mut supervisor = balance.supervisor();
    let web = backend("web.1", &server, "ready");
    supervisor.say(&json!({"set": {"revision": 1, "pause_seconds": 60, "backends": [web]}}));
    supervisor.hear_of("applied");
    client.send("GET / HTTP/1.1\r\nHost: shop\r\n\r\n");
    client.0.get_ref().set_read_timeout(Some(Duration::from_millis(1500))).expect("a timeout");
    assert!(answer(&mut client.0).is_err(), "it is held");
    client.0.get_ref().set_read_timeout(Some(DEADLINE)).expect("a timeout");
    supervisor.set(2, &[web]);
    assert_eq!(answer(&mut client.0).expect("an answer").1, "there");
}

#[test]
fn what_backends_could_understand_in_different_ways_reaches_none_of_them() {
    let server = named("there");
    let balance = Balance::before(&[&server], &["--http"]);
    let host = "Host: shop\r\n";
    for request in [
        format!("POST / HTTP/1.1\r\n{host}Content-Length: 3\r\nContent-Length: 30\r\n\r\nabc"),
        format!("POST / HTTP/1.1\r\n{host}Content-Length: 3, 30\r\n\r\nabc"),
        format!("POST / HTTP/1.1\r\n{host}Content-Length: +3\r\n\r\nabc"),
        format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
        format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{host}X: a\rb\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{host}X: a\r\n folded\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{host}Content-Length : 3\r\n\r\nabc"),
        format!("GET / HTTP/1.1\r\n{host}X: a\0b\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{host}{host}\r\n"),
        "GET / HTTP/1.1\r\n\r\n".to_owned(),
        format!("GET  / HTTP/1.1\r\n{host}\r\n"),
        format!("GET / HTTP/3.7\r\n{host}\r\n"),
    ] {
        let mut client = Client::of(&balance);
        client.send(&request);
        let (head, _) = answer(&mut client.0).unwrap_or_else(|error| panic!("{request:?}: {error}"));
        assert!(head.starts_with("HTTP/1.1 400"), "{request:?}: {head}");
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 0);
    assert_eq!(Client::of(&balance).get("").1, "there");
}

#[test]
fn a_request_with_two_lengths_of_different_kinds_is_framed_anew() {
    let server = http(|asked| asked.head.clone());
    let balance = Balance::before(&[&server], &["--http"]);
    let mut client = Client::of(&balance);
    client.send(
        "POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    );
    let (head, seen) = answer(&mut client.0).expect("an answer");
    let lengths = seen.to_lowercase().matches("content-length").count()
        + seen.to_lowercase().matches("transfer-encoding").count();
    assert!(head.starts_with("HTTP/1.1 400") || lengths <= 1, "{head}{seen}");
}

#[test]
fn heads_without_end_and_clients_that_dawdle_do_not_hold_others_up() {
    let server = named("there");
    let balance = Balance::before(&[&server], &["--http"]);
    let mut slow: Vec<Client> = (0..50).map(|_| Client::of(&balance)).collect();
    for client in &mut slow {
        client.send("GET / HT");
    }
    let mut bomb = Client::of(&balance);
    bomb.send("GET / HTTP/1.1\r\nHost: shop\r\n");
    let field = format!("X: {}\r\n", "a".repeat(8_000));
    let mut sent = 0;
    while sent < 10_000_000 && bomb.0.get_mut().write_all(field.as_bytes()).is_ok() {
        sent += field.len();
    }
    assert!(sent < 10_000_000, "it is ended");
    assert_eq!(Client::of(&balance).get("").1, "there");
    for client in &mut slow {
        client.send("TP/1.1\r\nHost: shop\r\n\r\n");
        assert_eq!(answer(&mut client.0).expect("an answer").1, "there");
    }
}

#[test]
fn a_backend_that_answers_garbage_is_a_bad_gateway_and_the_next_request_is_served() {
    for garbage in [b"no HTTP at all\r\n\r\n".as_slice(), b"", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n"] {
        let server = Server::new(move |mut stream| {
            let _ = requests(&stream).next();
            let _ = stream.write_all(garbage);
        });
        let balance = Balance::before(&[&server], &["--http"]);
        let mut client = Client::of(&balance);
        let (head, _) = client.get("");
        assert!(head.starts_with("HTTP/1.1 502"), "{head}");
        let well = named("there");
        balance.supervisor().set(1, &[backend("web.1", &well, "ready")]);
        assert_eq!(client.get("").1, "there");
    }
}

#[test]
fn a_backend_that_ends_its_connections_loses_no_request_and_none_is_sent_twice() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let server = {
        let seen = Arc::clone(&seen);
        // It says that it keeps the connection, and ends it after each answer.
        Server::new(move |mut stream| {
            if let Some(asked) = requests(&stream).next() {
                seen.lock().expect("no panic").push(asked.body.clone());
                let _ = reply(&mut stream, "there");
            }
        })
    };
    let refusing = nobody().to_string();
    let balance = Balance::before(&[&server], &["--http", "--backend", &refusing]);
    let mut client = Client::of(&balance);
    for number in 0..200 {
        let body = number.to_string();
        let request = if number % 2 == 0 {
            "GET / HTTP/1.1\r\nHost: shop\r\n\r\n".to_owned()
        } else {
            format!("POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        };
        let (head, text) = client.ask(&request);
        assert!(head.starts_with("HTTP/1.1 200") && text == "there", "{number}: {head}");
    }
    let seen = seen.lock().expect("no panic");
    let posts: Vec<_> = seen.iter().filter(|body| !body.is_empty()).collect();
    assert_eq!(posts.len(), 100);
}

#[test]
fn the_end_lets_a_request_finish_and_ends_connections_that_wait_for_the_next_one() {
    let (go, may_go) = mpsc::channel();
    let may_go = Mutex::new(may_go);
    let server = http(move |_| {
        let _ = may_go.lock().expect("no panic").recv_timeout(DEADLINE);
        "there".to_owned()
    });
    let mut balance = Balance::before(&[&server], &["--http"]);
    let idle = balance.connect();
    let mut client = Client::of(&balance);
    client.send("GET / HTTP/1.1\r\nHost: shop\r\n\r\n");
    crate::world::eventually("the request is on its way", || {
        let open = balance.supervisor().numbers()["backends"][0]["open"].clone();
        if open == 1 { Ok(()) } else { Err(open.to_string()) }
    });
    balance.signal(rustix::process::Signal::TERM);
    go.send(()).expect("it waits");
    assert_eq!(answer(&mut client.0).expect("an answer").1, "there");
    assert_eq!(balance.ended(), Some(0));
    drop(idle);
}

#[test]
fn the_client_that_a_proxy_names_is_the_one_that_backends_are_told_of() {
    let server = http(|asked| asked.head.clone());
    let balance = Balance::before(&[&server], &["--http", "--proxy-from", "127.0.0.1"]);
    let mut client = Client::of(&balance);
    client.send("PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\nGET / HTTP/1.1\r\nHost: shop\r\n\r\n");
    let (_, head) = answer(&mut client.0).expect("an answer");
    assert!(
        head.contains("x-forwarded-for: 192.0.2.7\r\n") && head.contains("x-forwarded-port: 443\r\n"),
        "{head}"
    );
    // `line` reads what is left, which is nothing.
    client.0.get_ref().shutdown(std::net::Shutdown::Write).expect("ended");
    assert_eq!(line(client.0.get_mut()), "");
}

#[test]
fn a_cookie_whose_name_promises_tls_has_another_name_without_tls() {
    let server = named("first");
    let balance = Balance::start(&["--http", "--sticky", "__Host-instance"]);
    let mut supervisor = balance.supervisor();
    supervisor.set(1, &[backend("web.1", &server, "ready")]);
    let mut client = Client::of(&balance);
    let (head, _) = client.get("");
    assert!(head.to_lowercase().contains("set-cookie: instance=web.1;"), "{head}");
    let (head, _) = client.get("Cookie: instance=web.1\r\n");
    assert!(!head.to_lowercase().contains("set-cookie"), "it is known again: {head}");
}

/// Of an answer to HTTP/1.0 the end of the connection is the end of the body: a part of it must not look like the whole.
#[test]
fn an_answer_that_is_broken_off_or_cut_ends_in_a_reset_also_for_a_client_of_http_1_0() {
    let server = Server::new(|mut stream| {
        let Some(asked) = requests(&stream).next() else { return };
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n");
        if asked.head.contains("/break") {
            return;
        }
        if asked.head.contains("/whole") {
            // It ends the connection, through which no other request could be answered.
            let _ = stream.write_all(b"0\r\n\r\n");
            return;
        }
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let balance = Balance::start(&["--http", "--drain-limit", "0"]);
    let mut supervisor = balance.supervisor();
    supervisor.set(1, &[backend("web.1", &server, "ready")]);
    for (version, path) in
        [("1.0", "/whole"), ("1.0", "/break"), ("1.1", "/break"), ("1.0", "/cut"), ("1.1", "/cut")]
    {
        let mut client = balance.connect();
        let request = format!("GET {path} HTTP/{version}\r\nHost: shop\r\n\r\n");
        client.write_all(request.as_bytes()).expect("sent");
        let mut answer = Vec::new();
        let mut part = [0; 1024];
        // What is broken off at once may be reset before any of it was passed on.
        while path == "/cut" && !String::from_utf8_lossy(&answer).contains("part") {
            let read = client.read(&mut part).expect("a part of it");
            assert!(read > 0, "{version} {path}: {answer:?}");
            answer.extend_from_slice(&part[..read]);
        }
        if path == "/cut" {
            supervisor.set(2, &[backend("web.1", &server, "drain")]);
        }
        let rest = client.read_to_end(&mut answer).map_err(|error| error.kind());
        if path == "/whole" {
            assert!(rest.is_ok() && answer.ends_with(b"\r\n\r\npart"), "{rest:?}: {answer:?}");
        } else {
            assert_eq!(rest, Err(std::io::ErrorKind::ConnectionReset), "{version} {path}");
        }
        supervisor.set(3, &[backend("web.1", &server, "ready")]);
    }
}
