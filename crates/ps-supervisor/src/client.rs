//! The client's side of the control socket. It blocks, with a deadline on every read.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::Error;
use crate::build::Build;
use crate::control::{Message, Request};
use crate::socket::{self, CONTROL_SOCKET};
use crate::status::Status;

const WRITE_DEADLINE: Duration = Duration::from_secs(5);

/// How a supervisor answers `hello`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// Which version of the protocol it speaks.
    pub protocol: u32,
    /// Which build of the program it is; `None` if its version is too old to say.
    pub build: Option<Build>,
}

/// A connection to the supervisor of one service directory.
#[derive(Debug)]
pub struct Client {
    service: PathBuf,
    stream: BufReader<UnixStream>,
    line: Vec<u8>,
}

impl Client {
    /// Connects; [`Error::NotSupervised`] if no supervisor listens.
    pub fn connect(service: &Path) -> Result<Self, Error> {
        let connect = || -> io::Result<UnixStream> {
            let stream = socket::connect(service, CONTROL_SOCKET)?;
            stream.set_write_timeout(Some(WRITE_DEADLINE))?;
            Ok(stream)
        };
        let stream = connect().map_err(|error| not_supervised(service, &error))?;
        Ok(Self { service: service.to_owned(), stream: BufReader::new(stream), line: Vec::new() })
    }

    /// Asks for the version; `None` if the supervisor is so old that it refuses the question.
    ///
    /// # Errors
    /// The supervisor does not answer before `deadline`.
    pub fn hello(&mut self, deadline: Instant) -> Result<Option<Greeting>, Error> {
        self.send(&Request::Hello)?;
        let mut greeting = None;
        loop {
            match self.next(deadline)? {
                Some(Message::Hello { protocol, build }) => greeting = Some(Greeting { protocol, build }),
                Some(Message::Reply { .. }) => return Ok(greeting),
                Some(_) => (),
                None => return Err(not_supervised(&self.service, &io::ErrorKind::TimedOut.into())),
            }
        }
    }

    /// Asks the supervisor to execute `program` in its own process. `None` once that has succeeded; otherwise the
    /// reason why the supervisor continues unchanged.
    pub fn reexec(mut self, program: &Path, deadline: Instant) -> Option<String> {
        if self.send(&Request::Reexec { program: program.to_owned() }).is_err() {
            return Some("it has left".to_owned());
        }
        loop {
            match self.next(deadline) {
                Ok(Some(Message::Stays { reason } | Message::Reply { error: Some(reason) })) => {
                    return Some(reason);
                }
                Ok(Some(_)) => (),
                Ok(None) => return Some("it does not say whether it has".to_owned()),
                // The supervisor closes the connection when it executes the program.
                Err(_) => return None,
            }
        }
    }

    /// The pid of the supervisor, as the kernel reports it; `None` if it runs in a pid namespace that we cannot see.
    pub fn supervisor(&self) -> Option<u32> {
        let peer = rustix::net::sockopt::socket_peercred(self.stream.get_ref()).ok()?;
        u32::try_from(peer.pid.as_raw_nonzero().get()).ok()
    }

    /// Sends a request. The messages that follow end with its reply.
    pub fn send(&mut self, request: &Request) -> Result<(), Error> {
        let mut line = serde_json::to_vec(request).expect("a request is plain data");
        line.push(b'\n');
        self.stream.get_mut().write_all(&line).map_err(|error| not_supervised(&self.service, &error))
    }

    /// The next message; `None` if none arrives before `deadline`.
    pub fn next(&mut self, deadline: Instant) -> Result<Option<Message>, Error> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            let timed = self.stream.get_ref().set_read_timeout(Some(left));
            timed.map_err(|error| not_supervised(&self.service, &error))?;
            match self.stream.read_until(b'\n', &mut self.line) {
                Ok(_) if self.line.ends_with(b"\n") => {
                    // A line that we cannot parse may come from a later version: we go on with the next one.
                    let message = serde_json::from_slice(&self.line).unwrap_or(Message::Unknown);
                    self.line.clear();
                    return Ok(Some(message));
                }
                Ok(_) => return Err(not_supervised(&self.service, &io::ErrorKind::UnexpectedEof.into())),
                Err(error) if is_late(&error) => (),
                Err(error) => return Err(not_supervised(&self.service, &error)),
            }
        }
    }
}

/// The status of the run that fills each slot, as the supervisor of a service directory knows it: it may be unable to write it down.
/// `None` if no supervisor says so before `deadline`.
pub fn told(service: &Path, deadline: Instant) -> Option<Vec<Status>> {
    let mut client = Client::connect(service).ok()?;
    client.send(&Request::Watch).ok()?;
    let mut statuses = Vec::new();
    loop {
        match client.next(deadline).ok()?? {
            Message::Instance(status) => statuses.push(status),
            Message::Reply { error } => return error.is_none().then_some(statuses),
            _ => (),
        }
    }
}

fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

fn not_supervised(service: &Path, error: &io::Error) -> Error {
    Error::NotSupervised { service: service.to_owned(), reason: error.to_string() }
}
