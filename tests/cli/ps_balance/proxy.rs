//! Who the client is: told by a proxy before it, and told to the backends behind it.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::json;

use crate::http::{answer, reply, requests};
use crate::world::{Balance, DEADLINE, Server, backend, line};

const V1: &[u8] = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n";

/// A server that says what it gets first, as text in which bytes that are none are escaped.
fn mirror(first: usize) -> Server {
    Server::new(move |mut stream| {
        let mut bytes = vec![0; first];
        if stream.read_exact(&mut bytes).is_ok() {
            let _ = stream.write_all(format!("{}\n", bytes.escape_ascii()).as_bytes());
            // Bytes that nobody reads would have the connection reset before the answer has arrived.
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
    })
}

fn said(balance: &Balance, parts: &[&[u8]]) -> String {
    let mut client = balance.connect();
    for part in parts {
        client.write_all(part).expect("sent");
        client.flush().expect("sent");
    }
    line(&mut client)
}

#[test]
fn backends_are_told_who_the_client_is() {
    let server = mirror(24);
    let balance = Balance::before(&[&server], &["--proxy-out", "v1"]);
    let mut client = balance.connect();
    client.write_all(b"hello, and so on, to and fro").expect("sent");
    let said = line(&mut client);
    assert!(said.starts_with("PROXY TCP4 127.0.0.1 127"), "{said}");
    let server = mirror(28);
    let balance = Balance::before(&[&server], &["--proxy-out", "v2"]);
    let mut client = balance.connect();
    let said = line(&mut client);
    let [high, low] = client.local_addr().expect("connected").port().to_be_bytes();
    let port = [high, low].escape_ascii().to_string();
    let begin = r"\r\n\r\n\x00\r\nQUIT\n!\x11\x00\x0c\x7f\x00\x00\x01\x7f\x00\x00\x01";
    assert!(said.starts_with(&format!("{begin}{port}")), "{said}");
}

#[test]
fn a_proxy_that_is_believed_says_who_the_client_is_however_its_bytes_are_cut() {
    let server = mirror(V1.len() + 5);
    let balance = Balance::before(&[&server], &["--proxy-from", "127.0.0.0/8", "--proxy-out", "v1"]);
    let whole = [V1, b"hello"].concat();
    let expected = whole.escape_ascii().to_string();
    assert_eq!(said(&balance, &[&whole]), expected);
    let (begin, rest) = whole.split_at(3);
    assert_eq!(said(&balance, &[begin, rest]), expected);
    assert_eq!(said(&balance, &[V1, b"hello"]), expected);
}

#[test]
fn a_header_of_somebody_else_is_passed_on_as_it_is() {
    let server = mirror(V1.len());
    let balance = Balance::before(&[&server], &["--proxy-from", "192.0.2.1"]);
    assert_eq!(said(&balance, &[V1]), V1.escape_ascii().to_string());
}

#[test]
fn a_proxy_that_says_something_else_is_reset_and_others_are_served() {
    let server = Server::named("there");
    let balance = Balance::before(&[&server], &["--proxy-from", "127.0.0.1"]);
    for wrong in [b"GET / HTTP/1.1\r\n\r\n".as_slice(), b"PROXY TCP4 nobody nowhere 1 2\r\n", &[0; 600]] {
        let mut client = balance.connect();
        // It may be reset before all of it is sent.
        let _ = client.write_all(wrong);
        let ended = client.read(&mut [0]);
        assert!(ended.is_err() || ended.is_ok_and(|read| read == 0));
    }
    let mut client = balance.connect();
    client.write_all(&[V1, b"?\n"].concat()).expect("sent");
    assert_eq!(line(&mut client), "there");
}

#[test]
fn half_of_a_header_goes_over_an_upgrade() {
    let server = Server::named("there");
    let balance = Balance::start(&["--proxy-from", "127.0.0.1"]);
    let mut supervisor = balance.supervisor();
    supervisor.set(1, &[backend("web.1", &server, "ready")]);
    let mut client: TcpStream = balance.connect();
    client.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    client.write_all(&V1[..20]).expect("sent");
    // Answered after the bytes above have been read, or later: either is right.
    supervisor.numbers();
    supervisor.say(&json!({"upgrade": {}}));
    supervisor.hear_of("hello");
    client.write_all(&V1[20..]).expect("sent");
    client.write_all(b"?\n").expect("sent");
    assert_eq!(line(&mut client), "there");
}

#[test]
fn with_requests_each_client_is_told_of_by_a_connection_of_its_own() {
    let server = Server::new(|mut stream| {
        let told = line(&mut stream);
        let client = told.split(' ').nth(4).expect("the client's port").to_owned();
        for _ in requests(&stream) {
            reply(&mut stream, &client).expect("sent");
        }
    });
    let balance = Balance::before(&[&server], &["--http", "--proxy-out", "v1"]);
    for _ in 0..3 {
        let client = balance.connect();
        let port = client.local_addr().expect("connected").port().to_string();
        let mut client = BufReader::new(client);
        client.get_mut().write_all(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n").expect("sent");
        assert_eq!(answer(&mut client).expect("an answer").1, port);
    }
}
