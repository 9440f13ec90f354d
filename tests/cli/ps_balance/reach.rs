//! A running one is told to listen elsewhere, or to hand on in another manner. What was open goes on as it began.

use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::http::{answer, http};
use crate::world::{Balance, Server, Supervisor, connect, eventually, line};

/// Has it listen on these sockets in this manner: why it does not.
fn reach(supervisor: &mut Supervisor, listeners: &[(&TcpListener, bool)], options: &Value) -> Option<String> {
    let address = |listener: &TcpListener| listener.local_addr().expect("bound");
    let listening: Vec<Value> =
        listeners.iter().map(|(socket, tls)| json!({"address": address(socket), "tls": tls})).collect();
    let fds: Vec<_> = listeners.iter().map(|(socket, _)| socket.as_fd()).collect();
    let request = format!("{}\n", json!({"reach": {"listeners": listening, "options": options}}));
    let sent = passed_fds::send(&supervisor.stream, request.as_bytes(), &fds).expect("it listens");
    assert_eq!(sent, request.len());
    supervisor.hear_of("reached")["refused"].as_str().map(str::to_owned)
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a port")
}

fn is_closed(address: SocketAddr) {
    eventually("nobody listens there", || {
        TcpStream::connect(address).map_or(Ok(()), |_| Err("somebody does".to_owned()))
    });
}

/// What a server sees of a request that is sent on this connection.
fn seen(stream: &mut BufReader<TcpStream>) -> String {
    stream.get_mut().write_all(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n").expect("sent");
    let (head, body) = answer(stream).expect("an answer");
    format!("{head}{body}").to_lowercase()
}

#[test]
fn it_moves_and_hands_on_by_request_while_a_connection_goes_on_as_it_began() {
    let server = http(|asked| asked.head.clone());
    let balance = Balance::before(&[&server], &[]);
    let mut open = BufReader::new(balance.connect());
    assert!(!seen(&mut open).contains("x-forwarded-for"));
    let (mut supervisor, other) = (balance.supervisor(), listener());
    let address = other.local_addr().expect("bound");
    let by_http = json!({"http": true, "sticky": "seen"});
    assert_eq!(reach(&mut supervisor, &[(&other, false)], &by_http), None);
    is_closed(balance.address);
    let said = seen(&mut BufReader::new(connect(address)));
    assert!(said.contains("x-forwarded-for: 127.0.0.1") && said.contains("set-cookie: seen="), "{said}");
    assert!(!seen(&mut open).contains("x-forwarded-for"), "it goes on as it began");
    let hello = {
        let mut lines = std::io::BufRead::lines(BufReader::new(
            std::os::unix::net::UnixStream::connect(&balance.control).expect("the control socket"),
        ));
        lines.next().expect("it says who it is").expect("a line")
    };
    let hello: Value = serde_json::from_str(&hello).expect("JSON");
    let told = json!({"listeners": [{"address": address, "tls": false}], "options": by_http});
    assert_eq!((&hello["hello"]["reach"], &hello["hello"]["mode"]), (&told, &json!("http")));
}

#[test]
fn what_it_cannot_do_is_refused_and_it_goes_on_as_before() {
    let server = Server::named("one");
    let balance = Balance::before(&[&server], &[]);
    let (mut supervisor, other) = (balance.supervisor(), listener());
    let refused = reach(&mut supervisor, &[(&other, true)], &json!({})).expect("it has no certificate");
    assert!(refused.contains("where certificates lie"), "{refused}");
    supervisor.say(&json!({"reach": {"listeners": [{"address": "127.0.0.1:1"}]}}));
    let refused = supervisor.hear_of("reached");
    assert_eq!(refused["refused"], "0 sockets came where 1 were spoken of");
    assert_eq!(balance.ask(), "one");
}

#[test]
fn what_it_was_told_goes_on_when_it_executes_itself_anew() {
    let server = Server::new(|mut stream| {
        let first = line(&mut stream);
        // The client may be gone.
        let _ = stream.write_all(format!("{first}\n").as_bytes());
    });
    let balance = Balance::before(&[&server], &[]);
    let (mut supervisor, other) = (balance.supervisor(), listener());
    assert_eq!(reach(&mut supervisor, &[(&other, false)], &json!({"proxy_out": "v1"})), None);
    drop(supervisor);
    let address = other.local_addr().expect("bound");
    let greeting = || {
        let mut stream = connect(address);
        stream.write_all(b"?\n").expect("sent");
        line(&mut stream)
    };
    assert!(greeting().starts_with("PROXY TCP4 127.0.0.1 "));
    let accepted = balance.supervisor().numbers()["accepted"].clone();
    balance.signal(Signal::USR2);
    assert!(greeting().starts_with("PROXY TCP4 127.0.0.1 "));
    let now = balance.supervisor().numbers()["accepted"].clone();
    assert!(now.as_u64() > accepted.as_u64(), "{now} after {accepted}");
}
