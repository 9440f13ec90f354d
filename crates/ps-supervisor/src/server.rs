//! The control socket, the supervisor's side: who may speak, lines in, lines out. A client that is slow, or says what
//! nobody understands, harms nobody but itself.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use rustix::fs::Mode;

use crate::Error;
use crate::control::{CONTROL_SOCKET, MAX_LINE, Message, Request};

/// Clients at a time; a further one is turned away.
const MAX_CLIENTS: usize = 64;

/// The socket and whoever is connected.
#[derive(Debug)]
pub(crate) struct Server {
    listener: UnixListener,
    clients: BTreeMap<u64, Client>,
    next: u64,
}

#[derive(Debug)]
struct Client {
    stream: UnixStream,
    input: Vec<u8>,
    output: Vec<u8>,
    is_watching: bool,
}

impl Server {
    /// Listens in a service directory whose lock we hold: an old socket there is nobody's.
    pub(crate) fn listen(service: &Path) -> Result<Self, Error> {
        let path = service.join(CONTROL_SOCKET);
        let fail = |error: io::Error| Error::io("listen on", &path, error);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fail(error)),
            _ => (),
        }
        // 0600 from birth; and by way of a descriptor, because a socket's path has 108 bytes at most.
        let directory = fs::File::open(service).map_err(fail)?;
        let short = crate::client::short_path(&directory, CONTROL_SOCKET);
        let before = rustix::process::umask(Mode::from_raw_mode(0o177));
        let bound = UnixListener::bind(short);
        rustix::process::umask(before);
        let listener = bound.map_err(fail)?;
        listener.set_nonblocking(true).map_err(fail)?;
        Ok(Self { listener, clients: BTreeMap::new(), next: 0 })
    }

    /// The descriptor to watch for new clients.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// Takes the next client in, if it may speak to us: the same user, or root. `None`: nobody (else) waits.
    pub(crate) fn accept(&mut self) -> Option<Result<u64, io::Error>> {
        let stream = match self.listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
            Err(error) => return Some(Err(error)),
        };
        Some(self.admit(stream))
    }

    fn admit(&mut self, stream: UnixStream) -> Result<u64, io::Error> {
        let peer = rustix::net::sockopt::socket_peercred(&stream)?.uid;
        let is_allowed = peer.is_root() || peer == rustix::process::geteuid();
        if !is_allowed || self.clients.len() >= MAX_CLIENTS {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        stream.set_nonblocking(true)?;
        self.next += 1;
        let client = Client { stream, input: Vec::new(), output: Vec::new(), is_watching: false };
        self.clients.insert(self.next, client);
        Ok(self.next)
    }

    /// The descriptor of a client.
    pub(crate) fn client_fd(&self, id: u64) -> Option<BorrowedFd<'_>> {
        self.clients.get(&id).map(|client| client.stream.as_fd())
    }

    /// What a client asked for since it was last read; `Err` for a line that is no request. `None`: it has left.
    pub(crate) fn read(&mut self, id: u64) -> Option<Vec<Result<Request, String>>> {
        let client = self.clients.get_mut(&id)?;
        let is_open = client.fill();
        let requests = client.take_lines().iter().map(|line| parse(line)).collect();
        if !is_open || client.input.len() > MAX_LINE {
            self.clients.remove(&id);
        }
        Some(requests)
    }

    /// Whether a client is still connected.
    pub(crate) fn has(&self, id: u64) -> bool {
        self.clients.contains_key(&id)
    }

    /// Says something to one client.
    pub(crate) fn say(&mut self, id: u64, message: &Message) {
        let is_gone = self.clients.get_mut(&id).is_some_and(|client| !client.say(message));
        if is_gone {
            self.clients.remove(&id);
        }
    }

    /// Says something to every client that watches.
    pub(crate) fn tell(&mut self, message: &Message) {
        self.clients.retain(|_, client| !client.is_watching || client.say(message));
    }

    /// From now on a client is told of every change.
    pub(crate) fn let_watch(&mut self, id: u64) {
        if let Some(client) = self.clients.get_mut(&id) {
            client.is_watching = true;
        }
    }

    /// Tries again to send what clients could not take at once; whether any is left.
    pub(crate) fn flush(&mut self) -> bool {
        self.clients.retain(|_, client| client.flush());
        self.clients.values().any(|client| !client.output.is_empty())
    }
}

impl Client {
    /// Reads what is there; false once the other side has closed.
    fn fill(&mut self) -> bool {
        let mut buffer = [0; 4096];
        while self.input.len() <= MAX_LINE {
            match self.stream.read(&mut buffer) {
                Ok(0) => return false,
                Ok(n) => self.input.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
        }
        true
    }

    fn take_lines(&mut self) -> Vec<Vec<u8>> {
        let Some(end) = self.input.iter().rposition(|byte| *byte == b'\n') else { return Vec::new() };
        let rest = self.input.split_off(end + 1);
        let whole = std::mem::replace(&mut self.input, rest);
        whole.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
    }

    /// Queues a message; false if the client takes too little.
    fn say(&mut self, message: &Message) -> bool {
        let mut line = serde_json::to_vec(message).expect("a message is plain data");
        line.push(b'\n');
        self.output.extend(line);
        self.flush() && self.output.len() <= MAX_LINE
    }

    /// Sends what it takes; false once it has left.
    fn flush(&mut self) -> bool {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(n) => drop(self.output.drain(..n)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
        }
        true
    }
}

fn parse(line: &[u8]) -> Result<Request, String> {
    serde_json::from_slice(line).map_err(|error| format!("not a request: {error}"))
}
