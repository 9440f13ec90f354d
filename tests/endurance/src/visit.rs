//! One connection of a client to an app, from its beginning to its end. Each request has a number, and the answer must have the same.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use tungstenite::{Message, WebSocket};

/// So long that only an answer that never comes is a failure.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many requests, or messages, follow each other on a connection that is kept, and the pause between them.
const KEPT: (u64, Duration) = (20, Duration::from_millis(25));
const MESSAGES: (u64, Duration) = (10, Duration::from_millis(50));
/// A slow body comes in so many parts of so many bytes.
const PARTS: (usize, usize, Duration) = (8, 250, Duration::from_millis(25));

/// How a client uses its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// A new one for each request.
    New,
    /// A row of requests on each.
    KeepAlive,
    /// A request whose body comes slowly.
    SlowBody,
    /// A websocket with a row of messages, which is closed as it should be.
    Websocket,
}

/// One answer.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// When the request was begun.
    pub asked: Instant,
    /// How long its answer took; `None` where the client itself was slow.
    pub took: Option<Duration>,
    /// The process that has answered.
    pub pid: u32,
}

/// Connects, asks as this manner does, and ends the connection. Requests take their numbers from `number` on. Each answer is told.
///
/// # Errors
/// What a client would have noticed: a connect that fails, an answer that is missing or is another one's.
pub fn visit(
    address: SocketAddr,
    manner: Manner,
    number: &mut u64,
    mut tell: impl FnMut(Answer),
) -> io::Result<()> {
    let asked = Instant::now();
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    if manner == Manner::Websocket {
        return messages(stream, number, tell);
    }
    let mut reader = BufReader::new(stream);
    let (count, pause) = if manner == Manner::KeepAlive { KEPT } else { (1, Duration::ZERO) };
    for n in 0..count {
        thread::sleep(if n == 0 { Duration::ZERO } else { pause });
        let asked = if n == 0 { asked } else { Instant::now() };
        *number += 1;
        let body = if manner == Manner::SlowBody { PARTS.0 * PARTS.1 } else { 0 };
        write!(
            reader.get_mut(),
            "POST /echo/{number} HTTP/1.1\r\nHost: shop\r\nContent-Length: {body}\r\n\r\n"
        )?;
        if body > 0 {
            for part in 0..PARTS.0 {
                reader.get_mut().write_all(&part_of_body(part))?;
                thread::sleep(PARTS.2);
            }
        }
        let said = answer(&mut reader)?;
        let (first, rest) = said.split_once('\n').ok_or_else(|| wrong(&said))?;
        let pid = pid(first, *number)?;
        if rest.as_bytes() != (0..PARTS.0).flat_map(part_of_body).take(body).collect::<Vec<_>>() {
            return Err(wrong("another body than was sent"));
        }
        tell(Answer { asked, took: (body == 0).then(|| asked.elapsed()), pid });
    }
    Ok(())
}

fn part_of_body(part: usize) -> Vec<u8> {
    vec![b'a' + u8::try_from(part % 26).unwrap_or(0); PARTS.1]
}

/// The body of a good answer.
fn answer(reader: &mut BufReader<TcpStream>) -> io::Result<String> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "no answer"));
        }
        if line == "\r\n" {
            break;
        }
        let lower = line.to_ascii_lowercase();
        length = lower
            .strip_prefix("content-length:")
            .map_or(Ok(length), |it| it.trim().parse())
            .map_err(io::Error::other)?;
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body = String::from_utf8_lossy(&body).into_owned();
    if head.starts_with("HTTP/1.1 200 ") { Ok(body) } else { Err(wrong(&format!("{head}{body}"))) }
}

/// The process that has answered `17 4711` to the request 17.
fn pid(said: &str, number: u64) -> io::Result<u32> {
    let (answered, pid) = said.split_once(' ').ok_or_else(|| wrong(said))?;
    if answered != number.to_string() {
        return Err(wrong(&format!("{said} to the request {number}")));
    }
    pid.trim().parse().map_err(|_| wrong(said))
}

fn wrong(said: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a wrong answer: {said}"))
}

fn messages(stream: TcpStream, number: &mut u64, mut tell: impl FnMut(Answer)) -> io::Result<()> {
    let other = |error: tungstenite::Error| io::Error::other(error);
    let opened = tungstenite::client("ws://shop/messages", stream).map_err(|error| match error {
        tungstenite::HandshakeError::Failure(error) => other(error),
        tungstenite::HandshakeError::Interrupted(_) => io::ErrorKind::WouldBlock.into(),
    });
    let mut socket: WebSocket<TcpStream> = opened?.0;
    for _ in 0..MESSAGES.0 {
        *number += 1;
        let asked = Instant::now();
        socket.send(Message::text(number.to_string())).map_err(other)?;
        let said = socket.read().map_err(other)?.into_text().map_err(other)?;
        tell(Answer { asked, took: Some(asked.elapsed()), pid: pid(said.as_str(), *number)? });
        thread::sleep(MESSAGES.1);
    }
    socket.close(None).map_err(other)?;
    loop {
        match socket.read() {
            Ok(_) => {}
            Err(tungstenite::Error::ConnectionClosed) => return Ok(()),
            Err(error) => return Err(other(error)),
        }
    }
}
