//! Probes of real listeners, well-behaved ones and others. The results do not depend on the speed of the machine: a slow
//! listener is waited for, and one that is never ready gets a short deadline.

use std::io::{ErrorKind, Read, Write};
use std::iter;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use ps_probe::{Get, Probe, Standing};

/// A deadline for events that do come.
const PATIENT: Duration = Duration::from_secs(30);
/// A deadline for events that never come.
const SHORT: Duration = Duration::from_millis(200);

fn up() -> Get {
    Get { path: "/up?a=1".to_owned(), ..Get::default() }
}

fn ask(timeout: Duration, address: SocketAddr) -> Result<(), String> {
    ps_probe::ask(&up(), address, timeout)
}

/// A listener that treats its first connection like this, and is closed afterwards.
fn listener(serve: impl FnOnce(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        let (stream, _) = listener.accept().expect("somebody connects");
        serve(stream);
    });
    address
}

/// Reads a request to its end, and returns it.
fn request(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
        text.push(byte[0]);
    }
    String::from_utf8(text).expect("a request is text")
}

/// A listener that reads the request, gives this answer, and closes.
fn answering(answer: &'static [u8]) -> SocketAddr {
    listener(move |mut stream| {
        request(&mut stream);
        stream.write_all(answer).expect("the answer is taken");
    })
}

fn reason(answer: Result<(), String>) -> String {
    answer.expect_err("the check does not hold")
}

#[test]
fn a_port_that_nobody_has_is_told_with_the_systems_word() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    let reason = reason(ask(PATIENT, address));
    assert!(reason.starts_with("Connection refused"), "{reason}");
}

#[test]
fn headers_are_added_or_take_the_place_of_ours_and_a_body_is_looked_at() {
    let (tell, told) = std::sync::mpsc::channel();
    let address = listener(move |mut stream| {
        tell.send(request(&mut stream)).expect("the test waits for it");
        stream.write_all(b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\nall is ").expect("the answer is taken");
        stream.write_all(b"well").expect("the answer is taken");
    });
    let headers = [("host", "shop.test"), ("X-Key", "a b")].map(|(name, value)| (name.into(), value.into()));
    let get = Get { content: "is well".to_owned(), headers: headers.into(), ..up() };
    assert_eq!(ps_probe::ask(&get, address, PATIENT), Ok(()));
    let request = told.recv().expect("a request came");
    assert!(request.starts_with("GET /up?a=1 HTTP/1.0\r\nAccept: "), "{request}");
    assert!(request.ends_with("\r\nhost: shop.test\r\nX-Key: a b\r\n\r\n"), "{request}");
}

#[test]
fn an_answer_without_end_is_left_after_its_first_mib() {
    let address = listener(|mut stream| {
        request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    let get = Get { content: "ok".to_owned(), ..up() };
    let said = reason(ps_probe::ask(&get, address, PATIENT));
    assert_eq!(said, "\"ok\" is not in the first MiB of its answer");
}

/// Whether a server that has written the beginning of its answer can still write the rest.
fn stays_for_the_rest(beginning: &'static [u8]) -> bool {
    let (told, seen) = mpsc::channel();
    let address = listener(move |mut stream| {
        request(&mut stream);
        stream.write_all(beginning).expect("the answer is taken");
        stream.set_read_timeout(Some(Duration::from_millis(100))).expect("it is a socket");
        let end = stream.read(&mut [0]);
        told.send(end.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)).expect("it is waited for");
        let _ = stream.write_all(b"the rest");
    });
    let answer = ask(PATIENT, address);
    assert_eq!(answer.is_ok(), beginning.starts_with(b"HTTP/1.1 200"), "{answer:?}");
    seen.recv().expect("it is told")
}

/// If it could not, it would log a broken pipe at each check.
#[test]
fn a_server_can_write_the_rest_of_an_answer_whose_first_line_has_decided() {
    for beginning in [&b"HTTP/1.1 200 OK\r\n\r\n"[..], b"HTTP/1.1 503 Busy\r\n\r\n"] {
        // On a busy machine the server may be too late for a probe that does not wait long.
        assert!((0..5).any(|_| stays_for_the_rest(beginning)));
    }
}

#[test]
fn whoever_never_ends_the_rest_is_left() {
    for beginning in [&b"HTTP/1.1 200 OK\r\n\r\n"[..], b"HTTP/1.1 503 Busy\r\n\r\n"] {
        let address = listener(move |mut stream| {
            request(&mut stream);
            let endless = iter::once(beginning).chain(iter::repeat(&[b'x'; 4096][..]));
            for piece in endless {
                if stream.write_all(piece).is_err() {
                    return;
                }
            }
        });
        assert_eq!(ask(PATIENT, address).is_ok(), beginning.starts_with(b"HTTP/1.1 200"));
        let address = listener(move |mut stream| {
            request(&mut stream);
            stream.write_all(beginning).expect("the answer is taken");
            let _ = stream.read(&mut [0]);
        });
        assert_eq!(ask(PATIENT, address).is_ok(), beginning.starts_with(b"HTTP/1.1 200"));
    }
}

#[test]
fn a_get_that_is_answered_with_2xx_holds_and_asks_for_its_path_with_its_query() {
    let (tell, told) = std::sync::mpsc::channel();
    let address = listener(move |mut stream| {
        tell.send(request(&mut stream)).expect("the test waits for it");
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").expect("the answer is taken");
    });
    assert_eq!(ask(PATIENT, address), Ok(()));
    let request = told.recv().expect("a request came");
    assert!(request.starts_with("GET /up?a=1 HTTP/1.1\r\nHost: localhost\r\n"), "{request}");
    assert!(request.contains("\r\nConnection: close\r\n"), "{request}");
}

#[test]
fn what_else_is_answered_is_told() {
    for (answer, told) in [
        (
            &b"HTTP/1.1 500 Internal Server Error\r\n\r\n"[..],
            r#"it answered "HTTP/1.1 500 Internal Server Error""#,
        ),
        (b"\x16\x03\x01\x02\x00\n", r#"it answered "\u{16}\u{3}\u{1}\u{2}\0""#),
        (
            b"\x15\x03\x01\x00\x02\x02\x46",
            "it speaks TLS and not plain http: set the scheme of the check to https",
        ),
        (
            b"\x15\x03\x03\x00\x02\x02\n\x15",
            "it speaks TLS and not plain http: set the scheme of the check to https",
        ),
        (b"HTTP/1.1 20", r#"it closed the connection in the middle of its first line, "HTTP/1.1 20""#),
        (b"", "it closed the connection without an answer"),
    ] {
        assert_eq!(reason(ask(PATIENT, answering(answer))), told);
    }
}

#[test]
fn a_connection_that_is_closed_or_reset_at_once_is_no_answer() {
    // A connection that is closed while the request is unread is reset.
    let reason = reason(ask(PATIENT, listener(drop)));
    let is_told = ["it closed the connection without an answer", "Connection reset by peer", "Broken pipe"];
    assert!(is_told.iter().any(|words| reason.starts_with(words)), "{reason}");
}

#[test]
fn an_answer_that_comes_byte_by_byte_is_waited_for() {
    let address = listener(|mut stream| {
        request(&mut stream);
        for byte in b"HTTP/1.1 200 OK\r\n" {
            stream.write_all(&[*byte]).expect("the byte is taken");
            thread::sleep(Duration::from_millis(5));
        }
    });
    assert_eq!(ask(PATIENT, address), Ok(()));
}

#[test]
fn whoever_never_answers_or_only_in_part_is_given_up_at_the_deadline() {
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let silent = listener(move |stream| {
        let _ = held.recv();
        drop(stream);
    });
    assert_eq!(reason(ask(SHORT, silent)), "no answer within 0.2 s");
    drop(hold);

    let (hold, held) = std::sync::mpsc::channel::<()>();
    let halting = listener(move |mut stream| {
        stream.write_all(b"HTTP/1.1 200").expect("the half line is taken");
        let _ = held.recv();
    });
    let patience = Duration::from_secs(2);
    assert_eq!(reason(ask(patience, halting)), r#"no whole answer, only "HTTP/1.1 200" within 2 s"#);
    drop(hold);
}

#[test]
fn an_endless_first_line_is_given_up_before_the_deadline() {
    let address = listener(|mut stream| {
        request(&mut stream);
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    let reason = reason(ask(PATIENT, address));
    assert!(reason.starts_with("it answered \"xxx") && reason.ends_with('…'), "{reason}");
}

#[test]
fn one_loop_drives_a_probe_that_holds_beside_one_that_hangs() {
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let silent = listener(move |stream| {
        let _ = held.recv();
        drop(stream);
    });
    let begin = |address| Probe::begin(&up(), address, PATIENT, Instant::now());
    let mut hanging = begin(silent);
    let mut holding = begin(answering(b"HTTP/1.1 200 OK\r\n\r\n"));
    while holding.advance(Instant::now()) == Standing::Pending {
        assert_eq!(hanging.advance(Instant::now()), Standing::Pending);
        assert!(holding.waits_for().is_some(), "it is pending and waits for nothing");
        holding.wait();
    }
    assert_eq!(holding.advance(Instant::now()), Standing::Holds, "what is over stays as it is");
    assert!(holding.waits_for().is_none(), "what is over waits for nothing");
    // The test passes the time to the probe, so it need not wait.
    let late = hanging.due(Instant::now());
    assert_eq!(hanging.advance(late), Standing::DoesNotHold("no answer within 30 s".to_owned()));
    drop(hold);
}
