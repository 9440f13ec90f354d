//! Clients of a web server, by HTTP over connections that are kept.
//!
//! ```text
//! knock rate PORT PATH CONNECTIONS RATE SECONDS
//!     asks RATE times a second, whether answers come or not, and prints the median and the 99th percentile in µs
//! knock hold PORT PATH CONNECTIONS
//!     asks once on each connection and prints how many there are; once stdin ends, asks again on each and prints how many answered
//! ```
//!
//! A request is late from the moment at which it was due, not from the one at which it was sent: whoever waits for an answer before
//! the next request does not notice a server that stands still.

use std::collections::VecDeque;
use std::env;
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const USAGE: &str = "usage: knock rate|hold ARGUMENTS; see its source";
/// How long an answer may take before all of it is a failure.
const PATIENCE: Duration = Duration::from_secs(60);
const BUFFER: usize = 256 * 1024;
/// The event that a request is due. What waits for events has no time limit of its own that is finer than a millisecond.
const TIME: EventData = EventData::new_u64(u64::MAX);

fn main() -> ExitCode {
    match run(env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "knock: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut words: impl Iterator<Item = String>) -> Result<()> {
    let role = words.next().ok_or(USAGE)?;
    let mut word = || words.next().ok_or(USAGE);
    let (port, path) = (word()?.parse()?, word()?);
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes();
    let count: usize = word()?.parse()?;
    let open = |_| Client::open(port, &request);
    let clients = (0..count).map(open).collect::<Result<Vec<_>>>()?;
    match role.as_str() {
        "rate" => {
            let (rate, seconds): (u32, u32) = (word()?.parse()?, word()?.parse()?);
            let mut latencies = Load { clients, request, rate, total: rate * seconds }.measure()?;
            latencies.sort_unstable();
            let percentile = |percent: usize| latencies[(latencies.len() - 1) * percent / 100].as_micros();
            Ok(writeln!(io::stdout(), "{} {}", percentile(50), percentile(99))?)
        }
        "hold" => hold(clients, &request),
        _ => Err(USAGE.into()),
    }
}

/// A connection, and how much of an answer has come.
struct Client {
    stream: TcpStream,
    /// When the request was due whose answer is awaited.
    due: Instant,
    /// What has come before the end of the head.
    head: Vec<u8>,
    /// How much of the body is still to come, once the head is there.
    left: Option<usize>,
}

impl Client {
    /// One that was answered once already: who is behind the address has a connection for it.
    fn open(port: u16, request: &[u8]) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut client = Self { stream, due: Instant::now(), head: Vec::new(), left: None };
        client.ask_and_wait(request)?;
        Ok(client)
    }

    fn ask_and_wait(&mut self, request: &[u8]) -> Result<()> {
        self.stream.write_all(request)?;
        while !self.read(&mut vec![0; BUFFER])? {}
        Ok(())
    }

    /// Takes in what has come: whether the answer is whole.
    fn read(&mut self, buffer: &mut [u8]) -> Result<bool> {
        loop {
            let read = match self.stream.read(buffer) {
                Ok(0) => return Err("the server has closed a connection".into()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error.into()),
            };
            if self.take(&buffer[..read])? {
                return Ok(true);
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<bool> {
        let body = if let Some(left) = self.left {
            left.checked_sub(bytes.len())
        } else {
            self.head.extend_from_slice(bytes);
            let Some(end) = self.head.windows(4).position(|window| window == b"\r\n\r\n") else {
                return Ok(false);
            };
            length(&self.head[..end])?.checked_sub(self.head.len() - end - 4)
        };
        let left = body.ok_or("the server has sent more than it was asked for")?;
        self.left = (left > 0).then_some(left);
        if left == 0 {
            self.head.clear();
        }
        Ok(left == 0)
    }
}

/// The length of the body behind a head.
fn length(head: &[u8]) -> Result<usize> {
    let head = std::str::from_utf8(head)?.to_ascii_lowercase();
    if !head.starts_with("http/1.1 200") {
        return Err(format!("the server answers {head}").into());
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    Ok(length.ok_or("the server does not say how long its answer is")?.trim().parse()?)
}

/// So many requests, at a rate a second.
struct Load {
    clients: Vec<Client>,
    request: Vec<u8>,
    rate: u32,
    total: u32,
}

impl Load {
    /// How late each answer was.
    fn measure(mut self) -> Result<Vec<Duration>> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
        epoll::add(&epoll, &timer, TIME, EventFlags::IN | EventFlags::ET)?;
        for (at, client) in self.clients.iter().enumerate() {
            client.stream.set_nonblocking(true)?;
            epoll::add(&epoll, &client.stream, EventData::new_u64(at as u64), EventFlags::IN)?;
        }
        let mut free: VecDeque<usize> = (0..self.clients.len()).collect();
        let (mut latencies, mut next, mut buffer) = (Vec::new(), 0, vec![0; BUFFER]);
        let mut events = Vec::with_capacity(self.clients.len());
        let begin = Instant::now();
        let due = |number: u32| begin + Duration::from_secs(1) * number / self.rate;
        while latencies.len() < self.total as usize {
            while next < self.total && due(next) <= Instant::now() {
                let Some(at) = free.pop_front() else { break };
                self.clients[at].due = due(next);
                self.clients[at].stream.write_all(&self.request)?;
                next += 1;
            }
            if next < self.total && !free.is_empty() {
                let wait = due(next).saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
                let at = Itimerspec { it_interval: Timespec::default(), it_value: wait.try_into()? };
                timerfd_settime(&timer, TimerfdTimerFlags::empty(), &at)?;
            }
            events.clear();
            epoll::wait(&epoll, spare_capacity(&mut events), Some(&PATIENCE.try_into()?))?;
            if events.is_empty() {
                return Err(format!("no answer within {PATIENCE:?}").into());
            }
            for event in events.iter().filter(|event| event.data.u64() != TIME.u64()) {
                let at = usize::try_from(event.data.u64())?;
                if self.clients[at].read(&mut buffer)? {
                    latencies.push(self.clients[at].due.elapsed());
                    free.push_back(at);
                }
            }
        }
        Ok(latencies)
    }
}

fn hold(mut clients: Vec<Client>, request: &[u8]) -> Result<()> {
    writeln!(io::stdout(), "{}", clients.len())?;
    io::copy(&mut io::stdin(), &mut io::sink())?;
    let answered = clients.iter_mut().filter_map(|client| client.ask_and_wait(request).ok()).count();
    Ok(writeln!(io::stdout(), "{answered}")?)
}
