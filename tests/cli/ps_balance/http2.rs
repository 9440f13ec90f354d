//! HTTP/2 to clients, frame by frame: what curl cannot send.

use std::io::{Read, Write};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use serde_json::json;

use crate::certificates::Stream;
use crate::http::{http, named, requests};
use crate::secure::Secure;
use crate::world::{DEADLINE, Server, backend, eventually};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// How the first byte of a head says 200, and 400 (RFC 7541, appendix A).
const OK: u8 = 0x88;
const BAD: u8 = 0x8c;
/// Reasons (RFC 9113, 7).
const PROTOCOL_ERROR: u8 = 1;
const CANCEL: u8 = 8;
const CALM: u8 = 11;

/// A frame.
#[derive(Debug)]
pub(crate) struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    pub(crate) bytes: Vec<u8>,
}

/// A client.
pub(crate) struct Client(Stream);

impl Client {
    pub(crate) fn of(secure: &Secure) -> Self {
        Self::with_window(secure, 65_535)
    }

    /// One to whom so many bytes of each answer may be sent, and of all of them together, before it has taken some in.
    pub(crate) fn with_window(secure: &Secure, window: u32) -> Self {
        let stream = secure.connect(&["h2"]);
        assert_eq!(stream.conn.alpn_protocol(), Some(b"h2".as_slice()));
        let mut client = Self(stream);
        client.0.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").expect("sent");
        let settings = [&[0, 4][..], &window.to_be_bytes()].concat();
        client.send(SETTINGS, 0, 0, &settings).expect("sent");
        if window > 65_535 {
            client.send(WINDOW, 0, 0, &(window - 65_535).to_be_bytes()).expect("sent");
        }
        client
    }

    fn send(&mut self, kind: u8, flags: u8, stream: u32, bytes: &[u8]) -> std::io::Result<()> {
        let mut frame = u32::try_from(bytes.len()).expect("short").to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(bytes);
        self.0.write_all(&frame)
    }

    /// The next frame; an error when the connection has ended.
    fn hear(&mut self) -> std::io::Result<Frame> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let mut bytes = vec![0; usize::try_from(length).expect("short")];
        self.0.read_exact(&mut bytes)?;
        Ok(Frame { kind: head[3], flags: head[4], stream, bytes })
    }

    /// The next frame of these kinds; settings and pings are answered meanwhile.
    pub(crate) fn hear_of(&mut self, kinds: &[u8]) -> std::io::Result<Frame> {
        loop {
            let frame = self.hear()?;
            if frame.kind == SETTINGS && frame.flags == 0 {
                self.send(SETTINGS, 1, 0, &[])?;
            } else if frame.kind == PING && frame.flags == 0 {
                self.send(PING, 1, 0, &frame.bytes)?;
            } else if kinds.contains(&frame.kind) {
                return Ok(frame);
            }
        }
    }

    /// Asks, with the fields of a usual request, these instead of those of the same name, and these as well.
    pub(crate) fn ask(&mut self, stream: u32, fields: &[(&str, &str)], flags: u8) {
        self.send(HEADERS, flags | END_HEADERS, stream, &head(fields)).expect("sent");
    }

    /// What a request has come to: the first byte of the head of its answer, or the reason for which the stream or the connection was ended.
    fn outcome(&mut self) -> Outcome {
        match self.hear_of(&[HEADERS, RESET, GOAWAY]) {
            Ok(Frame { kind: HEADERS, bytes, .. }) => Outcome::Answered(bytes[0]),
            Ok(Frame { kind: RESET, bytes, .. }) => Outcome::Reset(bytes[3]),
            Ok(Frame { bytes, .. }) => Outcome::GoneAway(bytes[7]),
            Err(_) => Outcome::Ended,
        }
    }

    fn get(&mut self, stream: u32) -> Outcome {
        self.ask(stream, &[], END_STREAM);
        self.outcome()
    }
}

/// What a request is to come to.
#[derive(Clone, Copy)]
enum Expected {
    /// The stream, or the connection where the head cannot be read at all, is ended.
    Refused,
    /// It is answered by 400.
    Bad,
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Answered(u8),
    Reset(u8),
    GoneAway(u8),
    Ended,
}

/// A head in which each field is spelled out (RFC 7541, 6.2.2).
fn head(fields: &[(&str, &str)]) -> Vec<u8> {
    let usual = [(":method", "GET"), (":scheme", "https"), (":authority", "shop.test"), (":path", "/")];
    let is_replaced = |name: &str| fields.iter().any(|(it, _)| *it == name);
    let kept = usual.iter().filter(|(name, _)| !is_replaced(name));
    let (pseudo, rest): (Vec<_>, Vec<_>) = fields.iter().partition(|(name, _)| name.starts_with(':'));
    let mut head = Vec::new();
    for (name, value) in kept.chain(pseudo).chain(rest).filter(|(_, value)| *value != "-") {
        head.push(0);
        for text in [name, value] {
            integer(&mut head, text.len());
            head.extend(text.as_bytes());
        }
    }
    head
}

/// A length with a prefix of seven bits (RFC 7541, 5.1).
fn integer(head: &mut Vec<u8>, length: usize) {
    if length < 127 {
        head.push(u8::try_from(length).expect("below 127"));
        return;
    }
    head.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        head.push(u8::try_from(rest % 128 + 128).expect("a byte"));
        rest /= 128;
    }
    head.push(u8::try_from(rest).expect("a byte"));
}

#[test]
fn requests_of_one_connection_are_answered_at_once_and_spread() {
    let (go, may_go) = mpsc::channel::<()>();
    let may_go = Mutex::new(may_go);
    let slow = http(move |_| {
        let _ = may_go.lock().expect("no panic").recv_timeout(DEADLINE);
        "slow".to_owned()
    });
    let fast = named("fast");
    let secure = Secure::before(&[&slow, &fast], &["--http"]);
    let mut client = Client::of(&secure);
    client.ask(1, &[], END_STREAM);
    client.ask(3, &[], END_STREAM);
    // One of the two waits for its backend, the other one does not wait for it.
    let first = client.hear_of(&[DATA]).expect("an answer");
    assert_eq!(first.bytes, b"fast");
    go.send(()).expect("it waits");
    let second = client.hear_of(&[DATA]).expect("an answer");
    assert_eq!(second.bytes, b"slow");
    assert_eq!(first.stream + second.stream, 4);
    let numbers = secure.balance.supervisor().numbers();
    assert_eq!((&numbers["accepted"], &numbers["backends"][0]["connections"]), (&json!(1), &json!(1)));
}

#[test]
fn what_a_backend_could_understand_in_different_ways_goes_no_further() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let asked = Arc::clone(&seen);
    let server = http(move |it| {
        asked.lock().expect("no panic").push(it.head.clone());
        "there".to_owned()
    });
    let secure = Secure::before(&[&server], &["--http"]);
    for (fields, expected) in [
        (&[("transfer-encoding", "chunked")][..], Expected::Refused),
        (&[("connection", "keep-alive")], Expected::Refused),
        (&[("te", "gzip")], Expected::Refused),
        (&[("upgrade", "websocket")], Expected::Refused),
        (&[("Upper", "case")], Expected::Refused),
        (&[("a\r\nb", "c")], Expected::Refused),
        (&[("a:b", "c")], Expected::Refused),
        (&[("a", "b\r\nTransfer-Encoding: chunked")], Expected::Refused),
        (&[("a", "b\rc")], Expected::Refused),
        (&[("a", "b\0c")], Expected::Refused),
        (&[(":path", "/ HTTP/1.1\r\nHost: evil.test\r\n\r\n")], Expected::Refused),
        (&[(":path", "/a b")], Expected::Refused),
        (&[(":path", "")], Expected::Refused),
        (&[(":path", "-")], Expected::Refused),
        (&[(":method", "GET / HTTP/1.1\r\nx: y")], Expected::Refused),
        (&[(":authority", "shop.test\r\nx: y")], Expected::Refused),
        (&[(":authority", "evil@shop.test")], Expected::Bad),
        (&[("host", "evil.test")], Expected::Bad),
        (&[("host", "shop.test"), ("host", "shop.test")], Expected::Bad),
        (&[(":authority", "-")], Expected::Bad),
        (&[("content-length", "5")], Expected::Refused),
        (&[("content-length", "0"), ("content-length", "5")], Expected::Refused),
        (&[(":protocol", "websocket"), (":method", "CONNECT")], Expected::Refused),
    ] {
        let mut client = Client::of(&secure);
        client.ask(1, fields, END_STREAM);
        let seen = client.outcome();
        let is_expected = match expected {
            Expected::Refused => {
                seen == Outcome::Reset(PROTOCOL_ERROR) || seen == Outcome::GoneAway(PROTOCOL_ERROR)
            }
            Expected::Bad => seen == Outcome::Answered(BAD),
        };
        assert!(is_expected, "{fields:?}: {seen:?}");
        if !matches!(seen, Outcome::GoneAway(_)) {
            // The other requests of this client go on.
            assert_eq!(client.get(3), Outcome::Answered(OK), "{fields:?}");
        }
    }
    for asked in seen.lock().expect("no panic").iter() {
        assert!(asked.starts_with("GET / HTTP/1.1\r\n") && !asked.contains("evil"), "{asked}");
    }
}

#[test]
fn a_body_that_is_longer_or_shorter_than_was_said_is_no_second_request() {
    let server = http(|asked| asked.head.clone());
    let secure = Secure::before(&[&server], &["--http"]);
    for sent in [b"abcdefgh".as_slice(), b"a"] {
        let mut client = Client::of(&secure);
        client.ask(1, &[(":method", "POST"), ("content-length", "3")], 0);
        client.send(DATA, END_STREAM, 1, sent).expect("sent");
        let seen = client.outcome();
        assert_eq!(seen, Outcome::Reset(PROTOCOL_ERROR), "{sent:?}");
    }
    let mut client = Client::of(&secure);
    client.ask(
        1,
        &[("host", "shop.test"), ("cookie", "a=1"), ("cookie", "b=2"), ("te", "trailers")],
        END_STREAM,
    );
    let head = client.hear_of(&[DATA]).expect("an answer").bytes;
    let head = String::from_utf8(head).expect("text").to_lowercase();
    assert!(head.contains("cookie: a=1; b=2\r\n") && !head.contains("te: "), "{head}");
    assert_eq!(head.matches("host: shop.test\r\n").count(), 2, "with x-forwarded-host: {head}");
}

#[test]
fn connect_is_refused_and_websockets_are_not_offered() {
    let server = named("there");
    let secure = Secure::before(&[&server], &["--http"]);
    let mut client = Client::of(&secure);
    let settings = client.hear().expect("its settings");
    // Each is a name of two bytes and a value of four; 8 is SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441).
    assert!(
        settings.kind == SETTINGS && settings.bytes.chunks(6).all(|it| it[..2] != [0, 8]),
        "{settings:?}"
    );
    let streams = settings.bytes.chunks(6).find(|it| it[..2] == [0, 3]).expect("a limit of requests");
    assert_eq!(streams[2..], [0, 0, 0, 128]);
    client.ask(1, &[(":method", "CONNECT"), (":scheme", "-"), (":path", "-")], 0);
    let Outcome::Answered(status) = client.outcome() else { panic!("it is answered") };
    assert!(status != OK, "{status}");
    assert_eq!(server.connections.load(Ordering::SeqCst), 0);
}

#[test]
fn a_head_without_end_and_one_that_unfolds_are_refused() {
    let server = named("there");
    let secure = Secure::before(&[&server], &["--http"]);
    let before = secure.balance.memory();
    let mut bomb = Client::of(&secure);
    bomb.send(HEADERS, END_STREAM, 1, &head(&[])).expect("sent");
    let field = head(&[("x", &"a".repeat(8_000))]);
    let mut sent = 0;
    while sent < 20_000_000 && bomb.send(CONTINUATION, 0, 1, &field).is_ok() {
        sent += field.len();
    }
    assert!(sent < 20_000_000, "it is ended");
    // A field that is put into the table, and then named by one byte, again and again (RFC 7541, 6.2.1 and 6.1).
    let mut folded = head(&[]);
    folded.extend([0x40, 1, b'x']);
    integer(&mut folded, 4_000);
    folded.extend([b'a'; 4_000]);
    folded.extend([0xbe; 12_000]);
    let mut bomb = Client::of(&secure);
    bomb.send(HEADERS, END_STREAM | END_HEADERS, 1, &folded[..16_000]).expect("sent");
    let outcome = bomb.outcome();
    assert!(outcome != Outcome::Answered(OK), "{outcome:?}");
    assert_eq!(Client::of(&secure).get(1), Outcome::Answered(OK));
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
    assert!(secure.balance.memory() < before + 10_000, "{} KiB, {before} before", secure.balance.memory());
}

#[test]
fn who_asks_and_takes_back_again_and_again_is_ended_and_others_are_served() {
    let server = named("there");
    let secure = Secure::before(&[&server], &["--http"]);
    let mut client = Client::of(&secure);
    let (mut burst, mut last) = (Vec::new(), 0);
    for number in 0..20_000_u32 {
        last = 2 * number + 1;
        let head = head(&[]);
        for (kind, flags, bytes) in
            [(HEADERS, END_STREAM | END_HEADERS, &head[..]), (RESET, 0, &[0, 0, 0, CANCEL])]
        {
            burst.extend(&u32::try_from(bytes.len()).expect("short").to_be_bytes()[1..]);
            burst.extend([kind, flags]);
            burst.extend(last.to_be_bytes());
            burst.extend(bytes);
        }
    }
    // It may be ended before all of it is sent.
    let _ = client.0.write_all(&burst);
    // Where bytes of ours were still on their way, the reset may have come before the reason.
    let ended = client.hear_of(&[GOAWAY]).map_or(CALM, |frame| frame.bytes[7]);
    assert_eq!(ended, CALM, "{last}");
    assert_eq!(Client::of(&secure).get(1), Outcome::Answered(OK));
    eventually("nothing is left behind", || {
        let numbers = secure.balance.supervisor().numbers();
        let open = &numbers["backends"][0]["open"];
        if *open == 0 { Ok(()) } else { Err(numbers.to_string()) }
    });
}

#[test]
fn a_drain_cuts_the_requests_of_its_backend_and_no_other_one_of_the_same_client() {
    let (go, may_go) = mpsc::channel::<()>();
    let may_go = Mutex::new(may_go);
    // It never answers.
    let stuck = Server::new(|stream| {
        let asked = requests(&stream).next();
        let _ = requests(&stream).next();
        drop(asked);
    });
    let slow = http(move |_| {
        let _ = may_go.lock().expect("no panic").recv_timeout(DEADLINE);
        "there".to_owned()
    });
    let secure = Secure::before(&[], &["--http"]);
    let mut supervisor = secure.balance.supervisor();
    supervisor.set(1, &[backend("web.1", &stuck, "ready")]);
    let mut client = Client::of(&secure);
    let asked = |supervisor: &mut crate::world::Supervisor, at: usize| {
        eventually("the request is on its way", || {
            let open = supervisor.numbers()["backends"][at]["open"].clone();
            if open == 1 { Ok(()) } else { Err(open.to_string()) }
        });
    };
    client.ask(1, &[], END_STREAM);
    asked(&mut supervisor, 0);
    supervisor.set(2, &[backend("web.1", &stuck, "ready"), backend("web.2", &slow, "ready")]);
    client.ask(3, &[], END_STREAM);
    asked(&mut supervisor, 1);
    let web = backend("web.2", &slow, "ready");
    supervisor.say(&json!({"set": {"revision": 3, "drain_seconds": 1, "backends": [web]}}));
    assert_eq!(
        supervisor.hear_of("drained"),
        json!({"id": "web.1", "connections": 1, "drained": 0, "cut": 1, "release": 1})
    );
    let frame = client.hear_of(&[RESET, HEADERS, GOAWAY]).expect("the request is ended");
    assert_eq!((frame.kind, frame.stream), (RESET, 1));
    go.send(()).expect("it waits");
    let frame = client.hear_of(&[DATA, RESET, GOAWAY]).expect("an answer");
    assert_eq!((frame.kind, frame.stream, frame.bytes.as_slice()), (DATA, 3, b"there".as_slice()));
}

#[test]
fn at_the_end_requests_are_finished_and_the_client_is_told_to_ask_no_more() {
    let (go, may_go) = mpsc::channel::<()>();
    let may_go = Mutex::new(may_go);
    let server = http(move |_| {
        let _ = may_go.lock().expect("no panic").recv_timeout(DEADLINE);
        "there".to_owned()
    });
    let mut secure = Secure::before(&[&server], &["--http"]);
    let mut client = Client::of(&secure);
    client.ask(1, &[], END_STREAM);
    let mut supervisor = secure.balance.supervisor();
    eventually("the request is on its way", || {
        let open = supervisor.numbers()["backends"][0]["open"].clone();
        if open == 1 { Ok(()) } else { Err(open.to_string()) }
    });
    secure.balance.signal(rustix::process::Signal::TERM);
    client.hear_of(&[GOAWAY]).expect("it is told");
    go.send(()).expect("it waits");
    assert_eq!(client.hear_of(&[DATA]).expect("an answer").bytes, b"there");
    // Told once more, at the latest now.
    while client.hear_of(&[GOAWAY]).is_ok() {}
    assert_eq!(secure.balance.ended(), Some(0));
}

#[test]
fn a_client_without_requests_is_told_to_leave_and_one_that_says_nothing_is_ended() {
    if std::env::var_os("FORMATION_TEST_LONG").is_none() {
        return skipped::skip("it takes two minutes: FORMATION_TEST_LONG=1");
    }
    let server = named("there");
    let secure = Secure::before(&[&server], &["--http"]);
    let silent = secure.connect(&["h2"]);
    let mut idle = Client::of(&secure);
    assert_eq!(idle.get(1), Outcome::Answered(OK));
    for stream in [&silent, &idle.0] {
        stream.sock.set_read_timeout(Some(Duration::from_secs(300))).expect("a timeout");
    }
    assert_eq!(idle.hear_of(&[GOAWAY]).expect("it is told").bytes[7], 0);
    while idle.hear_of(&[GOAWAY]).is_ok() {}
    let mut silent = silent;
    // Its settings may come first.
    let _ = silent.read_to_end(&mut Vec::new());
    let numbers = secure.balance.supervisor().numbers();
    assert_eq!((&numbers["open"], &numbers["accepted"]), (&json!(0), &json!(2)));
}
