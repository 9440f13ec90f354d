//! One connection of a client, from its arrival to its end.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use balance::Key;
use tokio::net::TcpStream;

use crate::carried::{CarriedConnection, CarriedDirection, CarriedStage};
use crate::clock;
use crate::direction::{self, Bytes, Direction, Shared};
use crate::exchange::{Exchange, Exchanges};
use crate::work::Work;

/// A connection of a client. Its task works on it; others may look at it, and cut it.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Who is at the other end of its socket.
    pub(crate) peer: SocketAddr,
    pub(crate) arrived: Duration,
    /// The task that works on it.
    pub(crate) work: Arc<Work>,
    /// Whether an answer of HTTP/1 has begun and is not whole yet.
    is_amid: AtomicBool,
    stage: Mutex<Stage>,
}

/// How far a connection has come.
#[derive(Debug)]
pub(crate) enum Stage {
    /// No backend has it yet. `head` is what was read to find out who the client is.
    Arriving { client: TcpStream, head: Vec<u8> },
    /// A backend has it.
    Relaying(Relay),
    /// Its task has the socket: requests are served one by one, or TLS is ended.
    Serving(Serving),
    /// The sockets are closed, or about to be.
    Over,
}

/// The requests of a connection.
#[derive(Debug, Default)]
pub(crate) struct Serving {
    exchanges: Exchanges,
    bytes: u64,
}

/// Two sockets, and what is on its way between them.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) key: Key,
    pub(crate) client: TcpStream,
    pub(crate) backend: TcpStream,
    pub(crate) up: Direction,
    pub(crate) down: Direction,
}

impl Connection {
    pub(crate) fn new(client: TcpStream, peer: SocketAddr) -> Self {
        Self::at(Stage::Arriving { client, head: Vec::new() }, peer, clock::now())
    }

    /// One that has come so far.
    pub(crate) fn at(stage: Stage, peer: SocketAddr, arrived: Duration) -> Self {
        Self { peer, arrived, work: Arc::default(), is_amid: AtomicBool::default(), stage: Mutex::new(stage) }
    }

    pub(crate) fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The backend has accepted it. `greeting` is what the backend is sent first.
    pub(crate) fn hand_over(&self, key: Key, backend: TcpStream, greeting: Vec<u8>) {
        let mut stage = self.stage();
        *stage = match std::mem::replace(&mut *stage, Stage::Over) {
            Stage::Arriving { client, .. } => {
                let up = Direction::beginning_with(greeting);
                Stage::Relaying(Relay { key, client, backend, up, down: Direction::default() })
            }
            other => other,
        };
    }

    /// Hands over the socket to the HTTP server, with the bytes that were read from it after the first `length`.
    pub(crate) fn take_socket(&self, length: usize) -> Option<(TcpStream, Vec<u8>)> {
        let mut stage = self.stage();
        match std::mem::replace(&mut *stage, Stage::Over) {
            Stage::Arriving { client, mut head } => {
                *stage = Stage::Serving(Serving::default());
                Some((client, head.split_off(length)))
            }
            other => {
                *stage = other;
                None
            }
        }
    }

    /// Begins an exchange that this work carries out.
    pub(crate) fn begin_exchange(&self, work: Arc<Work>) -> Arc<Exchange> {
        let exchange = Arc::new(Exchange::new(work));
        if let Stage::Serving(serving) = &mut *self.stage() {
            serving.exchanges.begin(&exchange);
        }
        exchange
    }

    /// How many exchanges it has had, and whether one is open.
    pub(crate) fn exchanges(&self) -> (u64, bool) {
        match &*self.stage() {
            Stage::Serving(serving) => (serving.exchanges.begun, serving.exchanges.is_busy()),
            Stage::Arriving { .. } | Stage::Relaying(_) | Stage::Over => (0, false),
        }
    }

    /// An answer of HTTP/1 has begun, or is there as a whole.
    pub(crate) fn be_amid(&self, is_amid: bool) {
        self.is_amid.store(is_amid, Ordering::Relaxed);
    }

    /// Whether an answer has begun and is not whole yet. If its socket is closed then, the client must see a reset: of an answer to
    /// HTTP/1.0, the end of the connection is the end of the body.
    pub(crate) fn is_amid(&self) -> bool {
        self.is_amid.load(Ordering::Relaxed)
    }

    /// Adds the number of bytes that it has moved.
    pub(crate) fn count(&self, bytes: u64) {
        if let Stage::Serving(serving) = &mut *self.stage() {
            serving.bytes += bytes;
        }
    }

    /// Passes bytes on. Ready once both sides have ended, or one of them is broken; `broke` is called if that is the
    /// backend.
    pub(crate) fn poll(
        &self,
        shared: &mut Shared<'_>,
        bytes: &Bytes,
        broke: impl FnOnce(),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let mut stage = self.stage();
        let Stage::Relaying(relay) = &mut *stage else { return Poll::Ready(Ok(())) };
        let polled = relay.poll(shared, bytes, cx);
        if let Poll::Ready(ended) = &polled {
            // A client that gets only a part of an answer must see a reset, and not an orderly end.
            let is_broken = ended.is_err() && is_reset(&relay.backend);
            if ended.is_err() {
                relay.reset();
            }
            *stage = Stage::Over;
            if is_broken {
                drop(stage);
                broke();
            }
        }
        polled
    }

    /// How many bytes it has moved.
    pub(crate) fn moved(&self) -> u64 {
        match &*self.stage() {
            Stage::Relaying(relay) => relay.up.bytes + relay.down.bytes,
            Stage::Serving(serving) => serving.bytes,
            Stage::Arriving { .. } | Stage::Over => 0,
        }
    }

    /// Closes it so that the client sees a reset, not an end.
    pub(crate) fn reset(&self) {
        let mut stage = self.stage();
        match &*stage {
            Stage::Arriving { client, .. } => drop(client.set_zero_linger()),
            Stage::Relaying(relay) => relay.reset(),
            Stage::Serving(_) | Stage::Over => {}
        }
        *stage = Stage::Over;
    }

    /// Ends it from outside, and its task with it.
    pub(crate) fn cut(&self) {
        let exchanges = match &*self.stage() {
            Stage::Serving(serving) => serving.exchanges.all(),
            Stage::Arriving { .. } | Stage::Relaying(_) | Stage::Over => Vec::new(),
        };
        self.work.cut();
        self.reset();
        for exchange in exchanges {
            exchange.work.cut();
        }
    }

    /// Ends the exchanges or the relay of this connection with one of these backends.
    pub(crate) fn cut_at(&self, keys: &[Key]) {
        let exchanges = match &*self.stage() {
            Stage::Relaying(relay) if keys.contains(&relay.key) => None,
            Stage::Serving(serving) => Some(serving.exchanges.at(keys)),
            Stage::Arriving { .. } | Stage::Relaying(_) | Stage::Over => return,
        };
        match exchanges {
            None => self.cut(),
            Some(exchanges) => exchanges.iter().for_each(|exchange| exchange.work.cut()),
        }
    }
}

impl Stage {
    /// What another program needs to go on with it; the bytes that are on their way are added to `residues`. None: it is over.
    pub(crate) fn carry(
        &mut self,
        number: u64,
        of: &Connection,
        residues: &mut Vec<u8>,
    ) -> io::Result<Option<CarriedConnection>> {
        let carry = |direction: &mut Direction, residues: &mut Vec<u8>| {
            let bytes = direction.bytes;
            let (flow, residue) = direction.carry()?;
            residues.extend_from_slice(residue);
            Ok::<_, io::Error>(CarriedDirection { flow, bytes, residue: residue.len() })
        };
        let stage = match self {
            Self::Arriving { head, .. } => {
                residues.extend_from_slice(head);
                CarriedStage::Arriving { head: head.len() }
            }
            Self::Relaying(relay) => {
                let (up, down) = (carry(&mut relay.up, residues)?, carry(&mut relay.down, residues)?);
                CarriedStage::Relaying { key: relay.key, up, down }
            }
            Self::Serving(_) | Self::Over => return Ok(None),
        };
        Ok(Some(CarriedConnection { number, peer: of.peer, arrived: of.arrived, stage }))
    }

    /// Its sockets: that of the client, and then that of the backend.
    pub(crate) fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let (client, backend) = match self {
            Self::Arriving { client, .. } => (Some(client), None),
            Self::Relaying(relay) => (Some(&relay.client), Some(&relay.backend)),
            Self::Serving(_) | Self::Over => (None, None),
        };
        client.into_iter().chain(backend).map(AsFd::as_fd)
    }
}

/// Whether the other end has reset a connection.
pub(crate) fn is_reset(socket: &TcpStream) -> bool {
    rustix::net::getpeername(socket).is_err()
}

impl Relay {
    fn poll(&mut self, shared: &mut Shared<'_>, bytes: &Bytes, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let before = (self.up.bytes, self.down.bytes);
        let up = self.up.poll(&mut self.client, &mut self.backend, shared, cx);
        let down = self.down.poll(&mut self.backend, &mut self.client, shared, cx);
        direction::count(&bytes.received, before.0, &self.up);
        direction::count(&bytes.sent, before.1, &self.down);
        match (up, down) {
            (Poll::Ready(Err(error)), _) | (_, Poll::Ready(Err(error))) => Poll::Ready(Err(error)),
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => Poll::Ready(Ok(())),
            (Poll::Pending, _) | (_, Poll::Pending) => Poll::Pending,
        }
    }

    /// A socket that cannot be told to reset is closed all the same.
    fn reset(&self) {
        let _ = self.client.set_zero_linger();
        let _ = self.backend.set_zero_linger();
    }
}
