//! Requests that one server could take for one and another server for two. The server of these tests reads strictly what reaches it: whatever it
//! sees has to be framed in one way only, and has to be what the client was answered for.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use crate::http::{Client, answer};
use crate::world::{Balance, Server, connect};

/// What comes behind the request in question. Its answer is the last one.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n";

/// The end of the first request in these bytes, and its head; none if more has to come.
///
/// # Errors
/// Another reader could see something else in it.
fn first(bytes: &[u8]) -> Result<Option<(usize, String)>, String> {
    let Some(end) = find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8(bytes[..end].to_vec()).map_err(|error| error.to_string())?;
    let (mut lengths, mut hosts, mut is_chunked) = (Vec::new(), 0, false);
    for (at, line) in head.split("\r\n").enumerate() {
        if line.contains(['\r', '\n', '\0']) || line.starts_with([' ', '\t']) {
            return Err(format!("a line that is none: {line:?}"));
        }
        let Some((name, value)) = line.split_once(':').filter(|_| at > 0) else { continue };
        if !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!("a name that is none: {name:?}"));
        }
        match (name.to_ascii_lowercase().as_str(), value.trim()) {
            ("content-length", value) => {
                lengths.push(value.parse::<usize>().map_err(|error| error.to_string())?);
            }
            ("transfer-encoding", "chunked") => is_chunked = true,
            ("transfer-encoding" | "trailer" | "upgrade", value) => return Err(format!("{name}: {value}")),
            ("host", _) => hosts += 1,
            _ => {}
        }
    }
    if lengths.len() + usize::from(is_chunked) > 1 || hosts > 1 {
        return Err(format!("framed or directed twice: {head}"));
    }
    let body = &bytes[end + 4..];
    let length = if is_chunked { chunks(body)? } else { Some(lengths.first().copied().unwrap_or(0)) };
    Ok(length.filter(|length| body.len() >= *length).map(|length| (end + 4 + length, head)))
}

/// How long a body in chunks is: plain numbers, and nothing behind the last one.
fn chunks(body: &[u8]) -> Result<Option<usize>, String> {
    let mut at = 0;
    loop {
        let Some(end) = find(&body[at..], b"\r\n") else { return Ok(None) };
        let line = body[at..at + end].escape_ascii().to_string();
        let size = usize::from_str_radix(&line, 16).map_err(|error| format!("{line}: {error}"))?;
        let next = at + end + 2 + size + 2;
        if body.len() < next {
            return Ok(None);
        }
        if body[next - 2..next] != *b"\r\n" {
            return Err(format!("something behind a chunk, or behind the body: {line}"));
        }
        if size == 0 {
            return Ok(Some(next));
        }
        at = next;
    }
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|it| it == part)
}

/// What the server has seen: the head of each request, or what was wrong.
type Seen = Arc<Mutex<Vec<Result<String, String>>>>;

fn strict() -> (Server, Seen) {
    let seen = Seen::default();
    let sees = Arc::clone(&seen);
    let server = Server::new(move |mut stream| {
        let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
        while let Ok(read @ 1..) = stream.read(&mut part) {
            bytes.extend_from_slice(&part[..read]);
            loop {
                match first(&bytes) {
                    Ok(None) => break,
                    Ok(Some((end, head))) => {
                        bytes.drain(..end);
                        sees.lock().expect("no panic").push(Ok(head));
                        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
                    }
                    Err(wrong) => return sees.lock().expect("no panic").push(Err(wrong)),
                }
            }
        }
    });
    (server, seen)
}

/// Sends it, and reads until the connection is ended: what was answered.
fn ask(balance: &Balance, request: &str) -> String {
    let mut client: TcpStream = connect(balance.address);
    // It may be refused before all of it is sent.
    let _ = client.write_all(request.as_bytes());
    let mut said = Vec::new();
    let _ = client.read_to_end(&mut said);
    String::from_utf8_lossy(&said).into_owned()
}

fn agree(fields: &str, body: &str) {
    agree_on(&format!("POST / HTTP/1.1\r\nHost: shop\r\n{fields}\r\n{body}{SMUGGLED}"));
}

/// What the client was answered for is what the server has seen.
fn agree_on(request: &str) {
    let (server, seen) = strict();
    let balance = Balance::before(&[&server], &["--http"]);
    let said = ask(&balance, request);
    let seen = seen.lock().expect("no panic");
    let is_right = seen.iter().all(Result::is_ok);
    let answered = said.matches("HTTP/1.1 200 OK").count();
    assert_eq!(balance.supervisor().numbers()["refused"], 0, "no backend is to blame: {request:?}");
    assert!(is_right && answered == seen.len(), "{request:?}\nwas answered {said:?}\nand seen as {seen:?}");
    assert!(said.starts_with("HTTP/1.1 "), "{request:?} is not answered: {said:?}");
}

#[test]
fn a_length_is_one_number_or_the_request_goes_no_further() {
    for length in [
        "003",
        "3, 3",
        "3,3",
        "3 4",
        "+3",
        "-3",
        "0x3",
        "3_",
        "3;",
        "18446744073709551619",
        "\"3\"",
        "",
        "3\t",
    ] {
        agree(&format!("Content-Length: {length}\r\n"), "abc");
    }
    agree("Content-Length: 3\r\nContent-Length: 3\r\n", "abc");
    agree("Content-Length: 3\r\nContent-Length: 0\r\n", "abc");
    agree("Content-Length: 0\r\nContent-Length: 3\r\n", "abc");
    // Taken for a body, and not for a request.
    agree_on(&format!(
        "GET / HTTP/1.1\r\nHost: shop\r\nContent-Length: {}\r\n\r\n{SMUGGLED}{SMUGGLED}",
        SMUGGLED.len()
    ));
}

#[test]
fn a_length_beside_chunks_is_not_believed() {
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 76\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity, chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: CHUNKED\r\nContent-Length: 5\r\n",
        "Transfer-Encoding:\tchunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: \u{b}chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding : chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked;q=1\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: \"chunked\"\r\nContent-Length: 5\r\n",
        "Transfer_Encoding: chunked\r\nContent-Length: 5\r\n",
        "X: a\r\n Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "X: a\rTransfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "X: a\nTransfer-Encoding: chunked\nContent-Length: 5\r\n",
        "X: a\0Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nConnection: content-length\r\n",
        "Content-Length: 5\r\nConnection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 5\r\nConnection: host, x-forwarded-for\r\n",
    ] {
        agree(fields, "0\r\n\r\n");
    }
    agree_on(&format!(
        "POST / HTTP/1.0\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}"
    ));
    agree_on(&format!(
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n{SMUGGLED}"
    ));
}

#[test]
fn chunks_are_written_anew_or_the_request_goes_no_further() {
    let long = format!("3;{}\r\nabc\r\n0\r\n\r\n", "a".repeat(40_000));
    for body in [
        "3\r\nabc\r\n0\r\n\r\n",
        "3;a=b\r\nabc\r\n0\r\n\r\n",
        "3;a=\"\r\nabc\r\n0\r\n\r\n",
        "3;a\nb\r\nabc\r\n0\r\n\r\n",
        "3;a\rb\r\nabc\r\n0\r\n\r\n",
        "3 \r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "+3\r\nabc\r\n0\r\n\r\n",
        "-1\r\nabc\r\n0\r\n\r\n",
        "3\nabc\n0\n\n",
        "3\r\nabc\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "3\r\nabcGET",
        "ffffffffffffffff3\r\nabc\r\n0\r\n\r\n",
        "\r\n0\r\n\r\n",
        "00000000000000000000\r\n\r\n",
        long.as_str(),
        "0\r\nContent-Length: 76\r\n\r\n",
        "0\r\nHost: evil.test\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n",
        "0\r\n X: folded\r\n\r\n",
        "0\r\nX: a\rb\r\n\r\n",
    ] {
        agree("Trailer: host, x-forwarded-for, content-length, x\r\nTransfer-Encoding: chunked\r\n", body);
    }
}

#[test]
fn lines_that_readers_cut_in_different_ways_do_not_reach_a_backend_as_they_are() {
    for head in [
        "GET / HTTP/1.1\nHost: shop\n\n",
        "GET / HTTP/1.1\r\nHost: shop\r\nX: a\r\r\n\r\n",
        "GET /\r HTTP/1.1\r\nHost: shop\r\n\r\n",
        "GET /\0 HTTP/1.1\r\nHost: shop\r\n\r\n",
        "GET /\t HTTP/1.1\r\nHost: shop\r\n\r\n",
        "GET / HTTP/1.1 HTTP/1.1\r\nHost: shop\r\n\r\n",
        "GET / HTTP/1.1\r\n Host: shop\r\nHost: shop\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: shop\r\nHost : evil\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: shop\r\nnothing\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: shop\r\n: empty\r\n\r\n",
        "GET http://shop/ HTTP/1.1\r\nHost: evil\r\n\r\n",
        "GET http://me@shop/ HTTP/1.1\r\nHost: shop\r\n\r\n",
        "\r\n\r\nGET / HTTP/1.1\r\nHost: shop\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: shop\r\n\u{1680}X: y\r\n\r\n",
        "CONNECT shop:80 HTTP/1.1\r\nHost: shop\r\n\r\n",
    ] {
        agree_on(&format!("{head}{SMUGGLED}"));
    }
}

/// It is refused with this status and a page that says why, and the server sees nothing of it.
fn refuse(request: &str, status: u16, why: &str) {
    let (server, seen) = strict();
    let balance = Balance::before(&[&server], &["--http"]);
    let said = ask(&balance, request);
    // The answer has the version of the question.
    let is_status = said.starts_with("HTTP/1.") && said.split(' ').nth(1) == Some(&status.to_string());
    assert!(is_status && said.contains(why), "{request:?}: {said:?}");
    assert!(seen.lock().expect("no panic").is_empty(), "{request:?}");
}

#[test]
fn what_is_no_host_is_refused() {
    for host in ["shop evil", "shop/@evil", "me@shop", "shop\"", "shop\\evil", "sh\u{f6}p", "<shop>"] {
        refuse(&format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"), 400, "one host");
    }
    refuse("GET / HTTP/1.0\r\nHost: shop evil\r\n\r\n", 400, "one host");
    refuse("GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 400, "one host");
    for host in ["shop", "shop.test:8080", "my_shop.test", "[::1]:5000", "10.0.0.1", "xn--shp-gna.test.", ""]
    {
        let (server, seen) = strict();
        let balance = Balance::before(&[&server], &["--http"]);
        let said = ask(&balance, &format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"));
        assert!(said.starts_with("HTTP/1.1 200 "), "{host:?}: {said}");
        assert_eq!(seen.lock().expect("no panic").len(), 1);
    }
}

#[test]
fn a_target_is_a_path_or_a_url_of_http() {
    for target in ["shop:443", "shop", "*", "ftp://shop/a", "file:///etc/passwd"] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n");
        let (server, seen) = strict();
        let said = ask(&Balance::before(&[&server], &["--http"]), &request);
        assert!(said.starts_with("HTTP/1.1 400 "), "{request:?}: {said:?}");
        assert!(seen.lock().expect("no panic").is_empty(), "{request:?}");
    }
    agree_on("OPTIONS * HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n");
}

#[test]
fn a_body_in_a_coding_that_the_backend_would_not_be_told_of_is_refused() {
    for coding in
        ["gzip, chunked", "chunked, chunked", "identity, chunked", "chunked\r\nTransfer-Encoding: chunked"]
    {
        let head =
            format!("POST / HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: {coding}\r\nConnection: close");
        refuse(&format!("{head}\r\n\r\n3\r\nabc\r\n0\r\n\r\n"), 400, "in chunks");
    }
}

#[test]
fn a_head_of_more_than_64_kib_is_refused_and_one_of_less_is_not() {
    let head = |length| {
        format!("GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\nX: {}\r\n\r\n", "a".repeat(length))
    };
    refuse(&head(66_000), 431, "");
    agree_on(&head(60_000));
}

#[test]
fn another_version_of_http_is_no_upgrade() {
    let settings = "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n";
    for upgrade in ["h2c", "H2C", "websocket, h2c", "HTTP/2.0"] {
        // The server refuses to see a wish for an upgrade.
        let fields = format!("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {upgrade}\r\n{settings}");
        agree_on(&format!("GET / HTTP/1.1\r\nHost: shop\r\n{fields}\r\n{SMUGGLED}"));
    }
}

#[test]
fn what_a_backend_sends_behind_its_answer_reaches_nobody() {
    let evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    let server = Server::new(move |mut stream| {
        for _ in crate::http::requests(&stream) {
            let both = format!("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood{evil}");
            if stream.write_all(both.as_bytes()).is_err() {
                return;
            }
        }
    });
    let balance = Balance::before(&[&server], &["--http"]);
    for _ in 0..50 {
        let mut client = Client::of(&balance);
        for _ in 0..4 {
            client.send("GET / HTTP/1.1\r\nHost: shop\r\n\r\n");
            assert_eq!(answer(&mut client.0).expect("an answer").1, "good");
        }
    }
}

#[test]
fn a_length_beside_the_chunks_of_an_answer_is_not_passed_on_and_does_not_cut_the_body() {
    let server = Server::new(|mut stream| {
        let _ = crate::http::requests(&stream).next();
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n";
        let _ = stream.write_all(answer.as_bytes());
    });
    let balance = Balance::before(&[&server], &["--http"]);
    let answer = ask(&balance, "GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n").to_lowercase();
    assert!(!answer.contains("content-length"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n4\r\nabcd\r\n0\r\n\r\n"), "{answer}");
}

/// A client would be told that the body is plain, or in one layer of chunks.
#[test]
fn an_answer_in_a_coding_that_the_client_would_not_be_told_of_is_a_bad_gateway() {
    for (coding, status) in [
        ("chunked", "200"),
        ("gzip", "502"),
        ("gzip, chunked", "502"),
        ("identity", "200"),
        ("chunked\r\nTransfer-Encoding: chunked", "502"),
    ] {
        let server = Server::new(move |mut stream| {
            let _ = stream.read(&mut [0; 4096]);
            let head = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: {coding}\r\n\r\n");
            let _ = stream.write_all(format!("{head}3\r\nabc\r\n0\r\n\r\n").as_bytes());
        });
        let balance = Balance::before(&[&server], &["--http"]);
        let said = ask(&balance, "GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n");
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{coding:?}: {said:?}");
        let numbers = balance.supervisor().numbers();
        assert_eq!(numbers["backends"][0]["unanswered"], u64::from(status == "502"), "{coding:?}: {numbers}");
    }
}
