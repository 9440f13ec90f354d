//! The holder: a process that keeps the outputs of all apps open for reading, and reads nothing. So the output of a
//! process stays in its FIFO until a supervisor writes it to the log, whichever other process was killed: the
//! supervisor, the root, or both. It also has copies of the sockets of the apps' addresses, so that connections wait
//! for the next supervisor and are not refused.
//!
//! It does as little as possible, so that only a signal ends it. A FIFO that was removed is closed. When it holds
//! nothing and no root is connected, it exits.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Component, Path};

use formation::Stream;
use ps_supervisor::{Copies, HOLDER, Order, Poll, may_speak};
use rustix::fs::{FileType, Mode, OFlags, Stat, openat};

use crate::error::Error;
use crate::place::Place;
use crate::{descriptors, removals};

/// The option with which a root starts the holder.
pub const HOLD_OUTPUT: &str = "--hold-output";
/// More clients than this at a time are treated as an error; the oldest one is disconnected.
const MOST_CLIENTS: usize = 512;
/// The most bytes that a client may send before a line is complete.
const MOST_BYTES: usize = 1 << 20;
/// More sockets than any app has addresses; a client that sends more descriptors is disconnected.
const MOST_SOCKETS: usize = 64;
/// The holder looks for removed outputs when it holds more than twice as many as were left after the last look, and this
/// many more.
const FEW: usize = 64;
/// The number of descriptors that are kept free of outputs, so that a client can always be accepted.
const RESERVE: u64 = 32;

/// The holder of one place.
#[derive(Debug)]
pub struct Holder {
    place: Place,
    services: File,
    listener: UnixListener,
    removals: OwnedFd,
    poll: Poll<Wakeup>,
    clients: BTreeMap<u64, Client>,
    next: u64,
    /// The held outputs, by app.
    held: BTreeMap<String, Vec<Held>>,
    /// Listening sockets, by app.
    sockets: BTreeMap<String, Vec<(SocketAddr, OwnedFd)>>,
    /// How many outputs were left after the last look for removed ones.
    looked: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wakeup {
    Listener,
    Removals,
    Client(u64),
}

/// A client: a supervisor that sends orders, or the root, which stays connected so that the holder does not exit.
#[derive(Debug)]
struct Client {
    stream: UnixStream,
    said: Vec<u8>,
    /// The descriptors that came with the bytes.
    fds: Vec<OwnedFd>,
}

/// One stream of a run.
#[derive(Debug)]
struct Held {
    end: OwnedFd,
    /// Device and inode of the FIFO.
    which: (u64, u64),
}

impl Holder {
    /// Opens the holder of a place. `listener` is its socket; the root that started the holder is already waiting there.
    ///
    /// # Errors
    /// The place cannot be watched.
    pub fn open(place: Place, listener: UnixListener) -> Result<Self, Error> {
        let own = place.own();
        let fail = |error: io::Error| Error::io("watch", &own, error);
        let services = File::open(place.services()).map_err(fail)?;
        let removals = removals::watch(&own).map_err(fail)?;
        let mut poll = Poll::new().map_err(|errno| fail(errno.into()))?;
        poll.watch(listener.as_fd(), Wakeup::Listener).map_err(|errno| fail(errno.into()))?;
        poll.watch(removals.as_fd(), Wakeup::Removals).map_err(|errno| fail(errno.into()))?;
        descriptors::raise();
        let (clients, held, sockets, next, looked) = Default::default();
        let mut holder =
            Self { place, services, listener, removals, poll, clients, next, held, sockets, looked };
        holder.welcome();
        Ok(holder)
    }

    /// Runs until no client is connected and nothing is held.
    ///
    /// # Errors
    /// Waiting for events fails.
    pub fn run(&mut self) -> Result<(), Error> {
        while self.is_needed() {
            let woken = self.poll.wait(None).map_err(|errno| Error::io("watch", &self.place.own(), errno))?;
            for wakeup in woken {
                match wakeup {
                    Wakeup::Listener => self.welcome(),
                    Wakeup::Client(id) => self.listen_to(id),
                    Wakeup::Removals => removals::drain(&self.removals),
                }
            }
            // Looking at all outputs whenever a run begins would take too long.
            if self.count() > 2 * self.looked + FEW {
                self.let_go_of_removed();
            }
        }
        Ok(())
    }

    /// False if the holder has no client and holds nothing, or if its socket file is gone, so that no client can reach
    /// it.
    fn is_needed(&self) -> bool {
        let is_wanted = !self.clients.is_empty() || !self.held.is_empty() || !self.sockets.is_empty();
        is_wanted && self.place.own().join(HOLDER).symlink_metadata().is_ok()
    }

    fn welcome(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            if !may_speak(&stream) || stream.set_nonblocking(true).is_err() {
                continue;
            }
            if self.clients.len() >= MOST_CLIENTS {
                self.clients.pop_first();
            }
            self.next += 1;
            let id = self.next;
            if self.poll.watch(stream.as_fd(), Wakeup::Client(id)).is_ok() {
                self.clients.insert(id, Client { stream, said: Vec::new(), fds: Vec::new() });
                self.listen_to(id);
            }
        }
    }

    fn listen_to(&mut self, id: u64) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        let is_over = client.hear();
        let orders = client.take_orders();
        let mut fds = if orders.is_empty() { Vec::new() } else { std::mem::take(&mut client.fds) };
        for order in &orders {
            if let Order::Copies { app } = order {
                client.answer(self.sockets.get(app).map(Vec::as_slice).unwrap_or_default());
            }
        }
        if is_over {
            self.clients.remove(&id);
            self.poll.forget(&Wakeup::Client(id));
            if orders.is_empty() {
                self.let_go_of_removed();
            }
        }
        for order in orders {
            match order {
                Order::Hold { runs } => runs.iter().for_each(|run| self.hold(run)),
                Order::Release { app } => drop((self.held.remove(&app), self.sockets.remove(&app))),
                Order::Keep { app, addresses } => self.keep(app, addresses, std::mem::take(&mut fds)),
                Order::Copies { .. } => (),
            }
        }
    }

    fn hold(&mut self, run: &Path) {
        let is_plain = run.components().all(|part| matches!(part, Component::Normal(_)));
        let app = run.components().next().and_then(|app| app.as_os_str().to_str()).filter(|_| is_plain);
        let Some(app) = app else { return };
        for stream in [Stream::Stdout, Stream::Stderr] {
            let held = self.held.entry(app.to_owned()).or_default();
            let is_new = |new: &Held| held.iter().all(|held| held.which != new.which);
            held.extend(open(&self.services, &run.join(stream.as_str())).filter(is_new));
        }
        self.held.retain(|_, held| !held.is_empty());
    }

    /// Replaces the held sockets of the app by these. If descriptors are short, the earlier ones are kept.
    fn keep(&mut self, app: String, addresses: Vec<SocketAddr>, sockets: Vec<OwnedFd>) {
        if addresses.is_empty() {
            self.sockets.remove(&app);
        } else if addresses.len() == sockets.len() && sockets.iter().all(has_room) {
            self.sockets.insert(app, addresses.into_iter().zip(sockets).collect());
        }
    }

    fn let_go_of_removed(&mut self) {
        let is_there = |held: &Held| rustix::fs::fstat(&held.end).is_ok_and(|stat| stat.st_nlink > 0);
        self.held.values_mut().for_each(|held| held.retain(is_there));
        self.held.retain(|_, held| !held.is_empty());
        self.looked = self.count();
    }

    fn count(&self) -> usize {
        self.held.values().map(Vec::len).sum()
    }
}

impl Client {
    /// Reads what the client has sent; true if it has disconnected or sent too much.
    fn hear(&mut self) -> bool {
        let mut buffer = [0; 4096];
        loop {
            match passed_fds::receive(&self.stream, &mut buffer) {
                Ok(received) if received.bytes == 0 => return true,
                Ok(received) => {
                    self.said.extend_from_slice(&buffer[..received.bytes]);
                    self.fds.extend(received.fds);
                }
                Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
            }
            if self.said.len() > MOST_BYTES || self.fds.len() > MOST_SOCKETS {
                return true;
            }
        }
    }

    /// Sends the client copies of these sockets.
    fn answer(&self, sockets: &[(SocketAddr, OwnedFd)]) {
        let addresses = sockets.iter().map(|(address, _)| *address).collect();
        let fds: Vec<_> = sockets.iter().map(|(_, socket)| socket.as_fd()).collect();
        // A client that did not get the answer asks again.
        let _ = passed_fds::send(&self.stream, &Copies { addresses }.line(), &fds);
    }

    /// Takes the complete lines that the client has sent. Orders of a later version, which are unknown here, are
    /// ignored.
    fn take_orders(&mut self) -> Vec<Order> {
        let end = self.said.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let lines: Vec<u8> = self.said.drain(..end).collect();
        self.said.shrink_to_fit();
        lines.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }
}

fn open(services: &File, path: &Path) -> Option<Held> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let end = openat(services, path, flags, Mode::empty()).ok()?;
    let Stat { st_dev, st_ino, st_mode, .. } = rustix::fs::fstat(&end).ok()?;
    let is_fifo = FileType::from_raw_mode(st_mode) == FileType::Fifo;
    (is_fifo && has_room(&end)).then_some(Held { end, which: (st_dev, st_ino) })
}

/// Whether enough descriptors are left above this one: [`RESERVE`].
fn has_room(held: &OwnedFd) -> bool {
    let number = u64::try_from(held.as_raw_fd()).unwrap_or(u64::MAX);
    number < descriptors::limit().saturating_sub(RESERVE)
}
