//! The socket of a root, the root's side. A request is one short line and is read at once: a client that says half a line, or
//! what nobody understands, is told so and has to leave; one that does not read its answer is forgotten.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};

use crate::place::Place;
use crate::words::{MAX_LINE, Message, Request, SOCKET};

/// More clients than this at a time are nobody's honest need; the one that came first leaves.
const MOST_CLIENTS: usize = 512;

/// The socket and whoever is connected.
#[derive(Debug)]
pub(crate) struct Server {
    listener: UnixListener,
    clients: BTreeMap<u64, Client>,
}

#[derive(Debug)]
struct Client {
    stream: UnixStream,
    has_let_go: bool,
}

impl Server {
    /// Listens in a place whose lock we hold.
    pub(crate) fn listen(place: &Place) -> io::Result<Self> {
        let listener = ps_supervisor::listen(&place.own(), SOCKET)?;
        Ok(Self { listener, clients: BTreeMap::new() })
    }

    /// The descriptor to watch for new clients.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// Takes in whoever waits and may speak to us, as number `id`; `None`: nobody (else) waits, or there is no room for anybody.
    pub(crate) fn accept(&mut self, id: u64) -> Option<()> {
        loop {
            match self.listener.accept() {
                Ok((stream, _))
                    if ps_supervisor::may_speak(&stream) && stream.set_nonblocking(true).is_ok() =>
                {
                    if self.clients.len() >= MOST_CLIENTS {
                        self.clients.pop_first();
                    }
                    self.clients.insert(id, Client { stream, has_let_go: false });
                    return Some(());
                }
                Ok(_) => (),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                // No descriptor is left: whoever came first has had its time.
                Err(_) if self.clients.pop_first().is_some() => (),
                Err(_) => return None,
            }
        }
    }

    /// The descriptor of a client.
    pub(crate) fn client_fd(&self, id: u64) -> Option<BorrowedFd<'_>> {
        self.clients.get(&id).map(|client| client.stream.as_fd())
    }

    /// What a client asks for, each line of it; `Err` for what is no request. Nothing: it has said nothing, or has left.
    pub(crate) fn read(&mut self, id: u64) -> Vec<Result<Request, String>> {
        let Some(client) = self.clients.get_mut(&id) else { return Vec::new() };
        let mut buffer = [0; MAX_LINE];
        match client.stream.read(&mut buffer) {
            Ok(0) => {
                self.clients.remove(&id);
                Vec::new()
            }
            Ok(length) => requests(&buffer[..length]),
            Err(error) if is_passing(&error) => Vec::new(),
            Err(_) => {
                self.clients.remove(&id);
                Vec::new()
            }
        }
    }

    /// A client waits for what was let go.
    pub(crate) fn waits(&mut self, id: u64) {
        if let Some(client) = self.clients.get_mut(&id) {
            client.has_let_go = true;
        }
    }

    /// Says something to a client.
    pub(crate) fn say(&mut self, id: u64, message: &Message) {
        let is_gone = self.clients.get_mut(&id).is_some_and(|client| !client.say(message));
        if is_gone {
            self.clients.remove(&id);
        }
    }

    /// Everybody who waits for what was let go hears that it has ended.
    pub(crate) fn settle(&mut self) {
        self.clients
            .retain(|_, client| !std::mem::take(&mut client.has_let_go) || client.say(&Message::Settled));
    }
}

impl Client {
    /// An answer is far shorter than what a socket takes at once.
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
