//! Stands between programs and an engine: each call is passed on, unless the test wants something else.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// What happens to a call.
pub(crate) enum Fate {
    /// It is passed on.
    Passes,
    /// It is passed on, and once the engine has done it, this is done and nothing is answered.
    PassesInVain(Box<dyn FnOnce() + Send>),
    /// The engine never hears of it.
    Fails(Failure),
    /// The engine never hears of it, and this is answered in its place.
    IsToldThis(String),
}

/// What an engine may do in place of what it is asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It says nothing.
    Hangs,
    /// It says nothing and hangs up.
    HangsUp,
    /// It answers something else than an engine would.
    Babbles,
    /// It refuses with this status.
    Answers(u16),
    /// It answers a byte a second.
    Trickles,
}

impl Failure {
    /// Whether nobody knows of it before a deadline is over.
    pub(crate) fn is_slow(self) -> bool {
        matches!(self, Self::Hangs | Self::Trickles)
    }
}

/// Says what happens to a call of this kind, `POST containers/*/start`.
pub(crate) type Rule = Box<dyn FnMut(&str) -> Fate + Send>;

/// From when until when somebody waited for an answer that did not come.
type Waits = Arc<Mutex<Vec<(Instant, Instant)>>>;

/// Its socket is gone when this is dropped.
pub(crate) struct Between {
    pub(crate) socket: PathBuf,
    waits: Waits,
}

impl Between {
    pub(crate) fn new(socket: PathBuf, engine: &Path, rule: Rule) -> Self {
        let listener = UnixListener::bind(&socket).expect("a socket");
        let (engine, rule) = (engine.to_owned(), Arc::new(Mutex::new(rule)));
        let waits = Waits::default();
        let noted = Arc::clone(&waits);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (engine, rule, waits) = (engine.clone(), Arc::clone(&rule), Arc::clone(&noted));
                // One that cannot be served is one that the engine hung up on.
                thread::spawn(move || drop(serve(&client, &engine, &rule, &waits)));
            }
        });
        Self { socket, waits }
    }

    /// For how long anybody waited for an answer that did not come; calls at the same time count once.
    pub(crate) fn waited(&self) -> Duration {
        let mut waits = self.waits.lock().expect("nobody panics").clone();
        waits.sort();
        let (mut sum, mut up_to) = (Duration::ZERO, None);
        for (from, until) in waits {
            let from = up_to.map_or(from, |up_to: Instant| from.max(up_to));
            sum += until.saturating_duration_since(from);
            up_to = Some(until.max(from));
        }
        sum
    }

    /// What a program is told.
    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }
}

impl Drop for Between {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.socket);
    }
}

fn serve(client: &UnixStream, engine: &Path, rule: &Mutex<Rule>, waits: &Waits) -> io::Result<()> {
    let request = head_and_body(client)?;
    let kind = kind(&request);
    let fate = (rule.lock().expect("no rule panics"))(&kind);
    match fate {
        Fate::Passes => {
            let mut engine = UnixStream::connect(engine)?;
            engine.write_all(&request)?;
            io::copy(&mut engine, &mut &*client)?;
        }
        Fate::PassesInVain(and_then) => {
            let mut engine = UnixStream::connect(engine)?;
            engine.write_all(&request)?;
            // The first byte of the answer: it is done.
            engine.read_exact(&mut [0])?;
            and_then();
        }
        Fate::IsToldThis(body) => answer(client, 200, &body)?,
        Fate::Fails(failure) => {
            let from = Instant::now();
            // An error says that whoever asked has gone.
            let _ = fail(client, &kind, failure);
            if failure.is_slow() {
                waits.lock().expect("nobody panics").push((from, Instant::now()));
            }
        }
    }
    // A thread that copies may hold another handle of it.
    client.shutdown(Shutdown::Both)
}

fn fail(mut client: &UnixStream, kind: &str, failure: Failure) -> io::Result<()> {
    match failure {
        Failure::Hangs => {
            // Until whoever asked has gone.
            client.read_exact(&mut [0])
        }
        Failure::HangsUp => Ok(()),
        Failure::Babbles => answer(client, 200, "<html>hello</html>"),
        Failure::Answers(status) => answer(client, status, r#"{"message":"made up"}"#),
        Failure::Trickles if kind.ends_with("/logs") => {
            client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n")?;
            trickle(client, b"\x01\0\0\0\0\0\0\x01\n")
        }
        Failure::Trickles => {
            trickle(client, b"HTTP/1.1 200 OK\r\nX-Long: 0123456789012345678901234567890123456789\r\n")
        }
    }
}

fn answer(mut client: &UnixStream, status: u16, body: &str) -> io::Result<()> {
    let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\n\r\n", body.len());
    client.write_all(head.as_bytes())?;
    client.write_all(body.as_bytes())
}

/// Again and again, until whoever asked has gone.
fn trickle(mut client: &UnixStream, bytes: &[u8]) -> io::Result<()> {
    client.set_read_timeout(Some(Duration::from_secs(1)))?;
    for byte in bytes.iter().cycle() {
        client.write_all(&[*byte])?;
        // It sends nothing more: what is read is its end, as soon as it has gone.
        match client.read(&mut [0]) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => (),
            Ok(_) | Err(_) => return Ok(()),
        }
    }
    Ok(())
}

/// One request as sent.
fn head_and_body(client: &UnixStream) -> io::Result<Vec<u8>> {
    let mut reader = BufReader::new(client);
    let (mut request, mut length) = (Vec::new(), 0);
    while !request.ends_with(b"\r\n\r\n") {
        let before = request.len();
        if reader.read_until(b'\n', &mut request)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = String::from_utf8_lossy(&request[before..]).to_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    request.extend(body);
    Ok(request)
}

/// `POST containers/*/start`: what is asked, whatever it is asked about.
fn kind(request: &[u8]) -> String {
    let line = String::from_utf8_lossy(request.split(|byte| *byte == b'\r').next().unwrap_or_default());
    let mut words = line.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = path.split('?').next().unwrap_or_default().trim_start_matches('/');
    let parts: Vec<&str> = path.split('/').collect();
    let path = match parts[..] {
        ["containers" | "exec", _] if method == "DELETE" => "containers/*".to_owned(),
        [what @ ("containers" | "exec"), _, did] => format!("{what}/*/{did}"),
        ["images" | "networks", _] if method == "DELETE" => format!("{}/*", parts[0]),
        ["networks", _, did] => format!("networks/*/{did}"),
        ["networks", name] if name != "create" => "networks/*".to_owned(),
        ["images", .., did] if parts.len() > 2 => format!("images/*/{did}"),
        _ => path.to_owned(),
    };
    format!("{method} {path}")
}
