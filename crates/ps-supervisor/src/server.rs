//! The supervisor's side of the control socket: who may connect, requests in, messages out. A client that is slow, silent
//! or sends nonsense harms only itself. When there are too many clients, the oldest one that never sent a request has to
//! leave, else the oldest one that does not watch.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use rustix::io::Errno;

use crate::Error;
use crate::control::{MAX_LINE, Message, Request};
use crate::socket::{self, CONTROL_SOCKET};

/// The answer to a client that cannot be accepted.
const TOO_MANY: &str = "too many clients are connected: try again later";

/// The listening socket and its clients.
#[derive(Debug)]
pub(crate) struct Server {
    listener: UnixListener,
    clients: BTreeMap<u64, Client>,
    next: u64,
    most: usize,
    /// A reserved descriptor. It is closed when no other is left, so that a client can be accepted just to be told that
    /// there are too many.
    spare: Option<OwnedFd>,
}

#[derive(Debug)]
struct Client {
    stream: UnixStream,
    input: Vec<u8>,
    output: Vec<u8>,
    is_watching: bool,
    has_asked: bool,
}

impl Server {
    /// Listens in a service directory whose lock we hold; an old socket there belongs to a supervisor that has died. At
    /// most `most` clients are connected at a time.
    pub(crate) fn listen(service: &Path, most: usize) -> Result<Self, Error> {
        let path = service.join(CONTROL_SOCKET);
        let fail = |error: io::Error| Error::io("listen on", &path, error);
        let listener = socket::listen(service, CONTROL_SOCKET).map_err(fail)?;
        Ok(Self::on(listener, most))
    }

    /// Goes on with a socket that listens already.
    pub(crate) fn on(listener: UnixListener, most: usize) -> Self {
        Self { listener, clients: BTreeMap::new(), next: 0, most, spare: spare() }
    }

    /// The descriptor that shows new clients.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// Accepts the next client, if it is root or the same user as we are. `None`: no client waits. `Some(Ok(None))`: one
    /// was turned away. An error: one waits, and could not even be turned away.
    pub(crate) fn accept(&mut self) -> Option<io::Result<Option<u64>>> {
        match self.listener.accept() {
            Ok((stream, _)) => Some(Ok(self.admit(stream).ok())),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) if has_no_descriptor(&error) => Some(self.turn_away(error)),
            // The client left before it was accepted, or a signal interrupted the call.
            Err(error) if is_passing(&error) => Some(Ok(None)),
            Err(error) => Some(Err(error)),
        }
    }

    /// Tells a client that there are too many, with the reserved descriptor.
    fn turn_away(&mut self, error: io::Error) -> io::Result<Option<u64>> {
        if self.spare.take().is_none() {
            self.spare = spare();
            return Err(error);
        }
        let turned_away = self.listener.accept().map(|(stream, _)| refuse(&stream));
        self.spare = spare();
        turned_away.map(|()| None)
    }

    fn admit(&mut self, stream: UnixStream) -> io::Result<u64> {
        if !socket::may_speak(&stream) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        stream.set_nonblocking(true)?;
        if self.clients.len() >= self.most && !self.make_room() {
            refuse(&stream);
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        self.next += 1;
        let client =
            Client { stream, input: Vec::new(), output: Vec::new(), is_watching: false, has_asked: false };
        self.clients.insert(self.next, client);
        Ok(self.next)
    }

    /// Disconnects the oldest client that never sent a request, else the oldest one that does not watch. Whether there was
    /// one.
    fn make_room(&mut self) -> bool {
        let oldest = |is_meant: fn(&Client) -> bool| {
            self.clients.iter().find(|(_, client)| is_meant(client)).map(|(id, _)| *id)
        };
        let leaves = oldest(|client| !client.has_asked).or_else(|| oldest(|client| !client.is_watching));
        leaves.and_then(|id| self.clients.remove(&id)).is_some()
    }

    /// The clients whose requests have arrived and were not read, if the next client can only be accepted in the place of
    /// another one.
    pub(crate) fn unread_if_full(&self) -> Vec<u64> {
        if self.clients.len() < self.most {
            return Vec::new();
        }
        self.clients.iter().filter(|(_, client)| client.has_unread()).map(|(id, _)| *id).collect()
    }

    /// The process of a client.
    pub(crate) fn client_pid(&self, id: u64) -> Option<u32> {
        socket::peer(&self.clients.get(&id)?.stream)
    }

    /// The descriptor of a client.
    pub(crate) fn client_fd(&self, id: u64) -> Option<BorrowedFd<'_>> {
        self.clients.get(&id).map(|client| client.stream.as_fd())
    }

    /// The requests of a client since the last call; `Err` for a line that is no request. `None`: it has disconnected.
    pub(crate) fn read(&mut self, id: u64) -> Option<Vec<Result<Request, String>>> {
        let client = self.clients.get_mut(&id)?;
        let is_open = client.fill();
        let requests: Vec<Result<Request, String>> =
            client.take_lines().iter().map(|line| parse(line)).collect();
        client.has_asked |= !requests.is_empty();
        if !is_open || client.input.len() > MAX_LINE {
            self.clients.remove(&id);
        }
        Some(requests)
    }

    /// Whether a client is still connected.
    pub(crate) fn has(&self, id: u64) -> bool {
        self.clients.contains_key(&id)
    }

    /// Sends a message to one client.
    pub(crate) fn say(&mut self, id: u64, message: &Message) {
        let is_gone = self.clients.get_mut(&id).is_some_and(|client| !client.say(message));
        if is_gone {
            self.clients.remove(&id);
        }
    }

    /// Sends a message to every client that watches.
    pub(crate) fn tell(&mut self, message: &Message) {
        self.clients.retain(|_, client| !client.is_watching || client.say(message));
    }

    /// Whether any client is connected.
    pub(crate) fn has_clients(&self) -> bool {
        !self.clients.is_empty()
    }

    /// Whether any client watches.
    pub(crate) fn has_watchers(&self) -> bool {
        self.clients.values().any(|client| client.is_watching)
    }

    /// Reports every change to the client from now on.
    pub(crate) fn let_watch(&mut self, id: u64) {
        if let Some(client) = self.clients.get_mut(&id) {
            client.is_watching = true;
        }
    }

    /// Tries again to send what did not fit into the clients' sockets; whether anything is still unsent.
    pub(crate) fn flush(&mut self) -> bool {
        self.clients.retain(|_, client| client.flush());
        self.clients.values().any(|client| !client.output.is_empty())
    }
}

impl Client {
    /// Reads what has arrived; false once the client has disconnected.
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

    fn has_unread(&self) -> bool {
        rustix::io::ioctl_fionread(&self.stream).is_ok_and(|bytes| bytes > 0)
    }

    fn take_lines(&mut self) -> Vec<Vec<u8>> {
        let Some(end) = self.input.iter().rposition(|byte| *byte == b'\n') else { return Vec::new() };
        let rest = self.input.split_off(end + 1);
        let whole = std::mem::replace(&mut self.input, rest);
        whole.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
    }

    /// Queues a message; false if too much is queued, because the client does not read.
    fn say(&mut self, message: &Message) -> bool {
        let mut line = serde_json::to_vec(message).expect("a message is plain data");
        line.push(b'\n');
        self.output.extend(line);
        self.flush() && self.output.len() <= MAX_LINE
    }

    /// Sends as much of the queue as fits; false once the client has disconnected.
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

/// Tells a connection that it cannot be accepted, without waiting for it to read that.
fn refuse(stream: &UnixStream) {
    let mut line = serde_json::to_vec(&Message::Reply { error: Some(TOO_MANY.to_owned()) })
        .expect("a message is plain data");
    line.push(b'\n');
    let mut stream = stream;
    let _ = stream.set_nonblocking(true).and_then(|()| stream.write_all(&line));
}

fn spare() -> Option<OwnedFd> {
    fs::File::open("/dev/null").ok().map(Into::into)
}

fn has_no_descriptor(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE))
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted)
}

fn parse(line: &[u8]) -> Result<Request, String> {
    serde_json::from_slice(line).map_err(|error| format!("not a request: {error}"))
}
