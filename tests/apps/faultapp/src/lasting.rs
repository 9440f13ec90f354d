//! HTTP/1.1 for clients that stay: one request after another on a connection, bodies that have a length, and websockets.
//! `/echo/17` is answered with `17`, the id of this process, and behind them the body; a message `17` with `17` and the id.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process;

use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::Role;
use tungstenite::{Error, Message, WebSocket};

use crate::server::{REQUEST_BYTES, page, reason};

/// Serves a connection until its client ends it, or asks for that.
pub(crate) fn serve(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(head) = Head::read(&mut reader)? {
        if let Some(key) = head.field("sec-websocket-key") {
            return talk(reader.into_inner(), key);
        }
        let mut body = Vec::new();
        reader.by_ref().take(head.length().min(REQUEST_BYTES)).read_to_end(&mut body)?;
        reader.get_mut().write_all(&head.answer(&body))?;
        if head.is_last() {
            break;
        }
    }
    Ok(())
}

/// The lines of a request before its body.
struct Head(Vec<String>);

impl Head {
    /// The next one; `None` where the client has ended.
    fn read(reader: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut lines = Vec::new();
        for line in reader.take(REQUEST_BYTES).lines() {
            match line? {
                line if line.is_empty() => return Ok(Some(Self(lines))),
                line => lines.push(line),
            }
        }
        Ok(None)
    }

    fn field(&self, name: &str) -> Option<&str> {
        let fields = self.0.iter().skip(1).filter_map(|line| line.split_once(':'));
        fields.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    fn length(&self) -> u64 {
        self.field("content-length").and_then(|length| length.parse().ok()).unwrap_or(0)
    }

    fn is_last(&self) -> bool {
        let is_old = self.0.first().is_none_or(|line| line.ends_with("HTTP/1.0"));
        is_old || self.field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    fn answer(&self, body: &[u8]) -> Vec<u8> {
        let path = self.0.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
        let (status, said) = match path.strip_prefix("/echo/") {
            Some(number) => (200, format!("{number} {}\n", process::id())),
            None => page(path),
        };
        let length = said.len() + body.len();
        let head = format!("HTTP/1.1 {status} {}\r\nContent-Length: {length}\r\n\r\n{said}", reason(status));
        [head.as_bytes(), body].concat()
    }
}

/// Answers the messages of a websocket until its client closes it.
fn talk(mut stream: TcpStream, key: &str) -> io::Result<()> {
    let accept = derive_accept_key(key.as_bytes());
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    let mut socket = WebSocket::from_raw_socket(stream, Role::Server, None);
    loop {
        let said = match socket.read() {
            Ok(Message::Text(said)) => said,
            Ok(_) => continue,
            Err(Error::ConnectionClosed | Error::AlreadyClosed) => return Ok(()),
            Err(error) => return Err(io::Error::other(error)),
        };
        socket.send(Message::text(format!("{said} {}", process::id()))).map_err(io::Error::other)?;
    }
}
