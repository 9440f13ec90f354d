//! The root's side of its socket. A request is one short line. A client whose request is incomplete or cannot be understood
//! gets an error and is disconnected; one that does not read its answer is disconnected as well.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};

use crate::place::Place;
use crate::words::{LastWill, MAX_LINE, Message, Request, SOCKET};

/// More clients than this at a time are treated as an error; the oldest one is disconnected.
const MOST_CLIENTS: usize = 512;

/// The listening socket and its clients.
#[derive(Debug)]
pub(crate) struct Server {
    listener: UnixListener,
    clients: BTreeMap<u64, Client>,
    /// The last wills of clients that disconnected before they were done.
    wills: Vec<LastWill>,
}

#[derive(Debug)]
struct Client {
    stream: UnixStream,
    has_let_go: bool,
    is_done: bool,
    will: Option<LastWill>,
}

impl Server {
    /// Listens in a place whose lock we hold.
    pub(crate) fn listen(place: &Place) -> io::Result<Self> {
        let listener = ps_supervisor::listen(&place.own(), SOCKET)?;
        Ok(Self { listener, clients: BTreeMap::new(), wills: Vec::new() })
    }

    /// The descriptor to watch for new clients.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// Accepts the next client that may connect, under the number `id`; `None`: no client waits, or there is no descriptor.
    pub(crate) fn accept(&mut self, id: u64) -> Option<()> {
        loop {
            match self.listener.accept() {
                Ok((stream, _))
                    if ps_supervisor::may_speak(&stream) && stream.set_nonblocking(true).is_ok() =>
                {
                    if self.clients.len() >= MOST_CLIENTS {
                        self.forget_first();
                    }
                    self.clients.insert(id, Client { stream, has_let_go: false, is_done: false, will: None });
                    return Some(());
                }
                Ok(_) => (),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                // No descriptor is left: the oldest client is disconnected.
                Err(_) if self.forget_first() => (),
                Err(_) => return None,
            }
        }
    }

    /// The descriptor of a client.
    pub(crate) fn client_fd(&self, id: u64) -> Option<BorrowedFd<'_>> {
        self.clients.get(&id).map(|client| client.stream.as_fd())
    }

    /// The requests of a client, one for each line; `Err` for a line that is no request. Empty if it has sent nothing or
    /// has disconnected.
    pub(crate) fn read(&mut self, id: u64) -> Vec<Result<Request, String>> {
        let Some(client) = self.clients.get_mut(&id) else { return Vec::new() };
        let mut buffer = [0; MAX_LINE];
        match client.stream.read(&mut buffer) {
            Ok(0) => {
                self.forget(id);
                Vec::new()
            }
            Ok(length) => requests(&buffer[..length]),
            Err(error) if is_passing(&error) => Vec::new(),
            Err(_) => {
                self.forget(id);
                Vec::new()
            }
        }
    }

    fn forget(&mut self, id: u64) {
        let client = self.clients.remove(&id);
        self.wills.extend(client.and_then(|client| client.will));
    }

    /// Disconnects the oldest client; false if there is none.
    fn forget_first(&mut self) -> bool {
        let first = self.clients.keys().next().copied();
        if let Some(id) = first {
            self.forget(id);
        }
        first.is_some()
    }

    /// Stores the last will of a client: a command to run if the client disconnects before it is done. `None`: the client is done.
    pub(crate) fn provide(&mut self, id: u64, will: Option<LastWill>) {
        if let Some(client) = self.clients.get_mut(&id) {
            client.is_done = will.is_none();
            client.will = will;
        }
    }

    /// Whether any last will is stored.
    pub(crate) fn has_wills(&self) -> bool {
        !self.wills.is_empty() || self.clients.values().any(|client| client.will.is_some())
    }

    /// Takes the last wills of clients that have disconnected.
    pub(crate) fn take_wills(&mut self) -> Vec<LastWill> {
        std::mem::take(&mut self.wills)
    }

    /// The client waits until the supervisor that it let go has ended.
    pub(crate) fn waits(&mut self, id: u64) {
        if let Some(client) = self.clients.get_mut(&id) {
            client.has_let_go = true;
        }
    }

    /// Sends a message to a client.
    pub(crate) fn say(&mut self, id: u64, message: &Message) {
        let is_gone = self.clients.get_mut(&id).is_some_and(|client| !client.say(message));
        if is_gone {
            self.forget(id);
        }
    }

    /// Sends [`Message::Ended`] to the clients that are done, and, as soon as nothing `is_ending` any more, to those that wait for
    /// the end of a supervisor.
    pub(crate) fn tell_ended(&mut self, is_ending: bool) {
        self.clients.retain(|_, client| {
            let waits =
                std::mem::take(&mut client.is_done) || !is_ending && std::mem::take(&mut client.has_let_go);
            !waits || client.say(&Message::Ended)
        });
    }
}

impl Client {
    /// Sends a message; false if that failed. A message is far shorter than the buffer of a socket, so it is sent at once or not at
    /// all.
    fn say(&mut self, message: &Message) -> bool {
        let mut line = serde_json::to_vec(message).expect("a message is plain data");
        line.push(b'\n');
        self.stream.write(&line).is_ok_and(|written| written == line.len())
    }
}

fn requests(said: &[u8]) -> Vec<Result<Request, String>> {
    if !said.ends_with(b"\n") {
        return vec![Err("not a request: a line is at most 8 KiB and is written at once".to_owned())];
    }
    let lines = said.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_slice(line).map_err(|error| format!("not a request: {error}")))
        .collect()
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
