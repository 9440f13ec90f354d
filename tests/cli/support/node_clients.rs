//! Clients of an app that answers each GET with the name of its process, and how much of it each of them has seen.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long an answer may take before it counts as lost.
const ANSWER: Duration = Duration::from_secs(30);
/// How many clients ask at once.
const CLIENTS: u32 = 8;

/// The body of an answer to a GET through a connection of its own.
pub(crate) fn get(port: u16) -> Result<String, String> {
    get_through(connect(port).map_err(|error| format!("connect: {error}"))?)
}

fn connect(port: u16) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(ANSWER))?;
    Ok(stream)
}

pub(crate) fn get_through(mut stream: impl Read + Write) -> Result<String, String> {
    let said = |what: &'static str| move |error: std::io::Error| format!("{what}: {error}");
    let request = b"GET / HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n";
    stream.write_all(request).map_err(said("write"))?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(said("read"))?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(format!("no answer: {answer:?}"))?;
    if !head.starts_with("HTTP/1.1 200") {
        return Err(answer);
    }
    let is_chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let body = if is_chunked { body.lines().nth(1).unwrap_or_default() } else { body };
    Ok(body.to_owned())
}

/// So many GETs, one after the other; how many each process has answered.
pub(crate) fn gets(port: u16, count: usize) -> BTreeMap<String, usize> {
    let mut answered = BTreeMap::new();
    for _ in 0..count {
        *answered.entry(get(port).expect("an answer")).or_default() += 1;
    }
    answered
}

/// What a client has seen.
#[derive(Debug, Default)]
struct Seen {
    answered: BTreeMap<String, usize>,
    failed: Vec<String>,
}

/// What clients have in common.
#[derive(Debug, Default)]
struct Common {
    is_over: AtomicBool,
    answered: AtomicUsize,
    /// How long each client waits from the start of a request to that of its next.
    turn: Duration,
}

impl Common {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Waits until the next request is due. What an answer was too late for is not made up.
    fn pace(&self, due: &mut Instant) {
        let now = Instant::now();
        std::thread::sleep(due.saturating_duration_since(now));
        *due = now.max(*due) + self.turn;
    }
}

impl Seen {
    fn answer(&mut self, process: String, common: &Common) {
        *self.answered.entry(process).or_default() += 1;
        common.answered.fetch_add(1, Ordering::Relaxed);
    }
}

/// Asks again and again, each time through a new connection.
fn anew(port: u16, common: &Common) -> Seen {
    let (mut seen, mut due) = (Seen::default(), Instant::now());
    while !common.is_over() {
        common.pace(&mut due);
        match get(port) {
            Ok(pid) => seen.answer(pid, common),
            Err(reason) => seen.failed.push(reason),
        }
    }
    seen
}

/// Asks through one connection for as long as the server keeps it.
fn kept(port: u16, common: &Common) -> Seen {
    let (mut seen, mut due) = (Seen::default(), Instant::now());
    while !common.is_over() {
        let stream = match connect(port) {
            Ok(stream) => stream,
            Err(error) => {
                seen.failed.push(error.to_string());
                common.pace(&mut due);
                continue;
            }
        };
        let mut reader = BufReader::new(stream);
        while !common.is_over() {
            common.pace(&mut due);
            match ask(&mut reader) {
                Ok((pid, is_kept)) => {
                    seen.answer(pid, common);
                    if !is_kept {
                        break;
                    }
                }
                Err(error) => {
                    seen.failed.push(error.to_string());
                    break;
                }
            }
        }
    }
    seen
}

fn ask(reader: &mut BufReader<TcpStream>) -> std::io::Result<(String, bool)> {
    reader.get_mut().write_all(b"GET / HTTP/1.1\r\nHost: app\r\n\r\n")?;
    let (mut length, mut is_kept, mut line) = (0, true, String::new());
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let field = line.trim_end().to_ascii_lowercase();
        if let Some(value) = field.strip_prefix("content-length: ") {
            length = value.parse().expect("a length");
        }
        is_kept &= field != "connection: close";
        if field.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((String::from_utf8_lossy(&body).into_owned(), is_kept))
}

/// Clients that ask until they are stopped.
pub(crate) struct Load {
    common: Arc<Common>,
    clients: Vec<JoinHandle<Seen>>,
}

/// What all clients together have seen.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) answered: usize,
    /// How many of them each process has answered.
    pub(crate) by_process: BTreeMap<String, usize>,
    /// Why each request failed that did.
    pub(crate) failed: Vec<String>,
}

impl Load {
    /// Eight clients; with `keeps`, every other one keeps its connection.
    pub(crate) fn begin(port: u16, keeps: bool) -> Self {
        Self::of(port, keeps, Common::default())
    }

    /// The same, with at most so many requests in a second, of which half are on connections that are kept.
    pub(crate) fn paced(port: u16, per_second: u32) -> Self {
        let turn = Duration::from_secs(1) * CLIENTS / per_second;
        Self::of(port, true, Common { turn, ..Common::default() })
    }

    fn of(port: u16, keeps: bool, common: Common) -> Self {
        let common = Arc::new(common);
        let client = |number| {
            let common = common.clone();
            let client = if number % 2 == 0 || !keeps { anew } else { kept };
            std::thread::spawn(move || client(port, &common))
        };
        let clients = (0..CLIENTS).map(client).collect();
        Self { common, clients }
    }

    /// Has them stop after the request that they are at.
    pub(crate) fn stop(&self) {
        self.common.is_over.store(true, Ordering::Relaxed);
    }

    /// How many requests were answered by now.
    pub(crate) fn answered(&self) -> usize {
        self.common.answered.load(Ordering::Relaxed)
    }

    pub(crate) fn has_stopped(&self) -> bool {
        self.clients.iter().all(JoinHandle::is_finished)
    }

    pub(crate) fn summary(self) -> Summary {
        self.stop();
        let join = |client: JoinHandle<Seen>| client.join().expect("a client never panics");
        let seen: Vec<Seen> = self.clients.into_iter().map(join).collect();
        let mut by_process: BTreeMap<String, usize> = BTreeMap::new();
        for (process, answered) in seen.iter().flat_map(|seen| &seen.answered) {
            *by_process.entry(process.clone()).or_default() += answered;
        }
        Summary {
            answered: by_process.values().sum(),
            by_process,
            failed: seen.into_iter().flat_map(|seen| seen.failed).collect(),
        }
    }
}
