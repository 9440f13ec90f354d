//! One direction of a connection. Bytes are read and written at first, and spliced once they come in pieces larger than
//! a buffer. Between two polls all bytes in transit are in `residue` or in the pipe, and nowhere else.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::pipes::{Pipe, Pool};

/// How many bytes are read at once.
pub(crate) const BUFFER: usize = 32 * 1024;
/// A splice that moves fewer bytes than this is worth less than reading and writing.
const BULK: usize = 16 * 1024;
/// After this many steps, other connections get their turn.
const STEPS: usize = 16;

/// What all connections use in turn.
#[derive(Debug)]
pub(crate) struct Shared<'a> {
    pub(crate) buffer: &'a mut [u8],
    pub(crate) pipes: &'a Pool,
}

/// Bytes of all connections.
#[derive(Debug, Default)]
pub(crate) struct Bytes {
    /// From clients.
    pub(crate) received: AtomicU64,
    /// To clients.
    pub(crate) sent: AtomicU64,
}

/// One direction of one connection.
#[derive(Debug, Default)]
pub(crate) struct Direction {
    /// What was read and is not yet written.
    residue: Vec<u8>,
    /// How much of `residue` is written already.
    written: usize,
    pipe: Option<Pipe>,
    is_bulk: bool,
    flow: Flow,
    /// Bytes that were read, in all.
    pub(crate) bytes: u64,
}

/// How far the sender is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Flow {
    /// The sender may send more.
    #[default]
    Open,
    /// The sender has ended. The receiver's side is closed once it has all bytes.
    Ending,
    /// The receiver has been told.
    Ended,
}

impl Direction {
    /// A direction that begins with these bytes, as if the sender had sent them.
    pub(crate) fn beginning_with(residue: Vec<u8>) -> Self {
        Self { residue, ..Self::default() }
    }

    /// One that goes on where another program has stopped, with these bytes on their way.
    pub(crate) fn going_on(flow: Flow, bytes: u64, residue: Vec<u8>) -> Self {
        Self { residue, flow, bytes, ..Self::default() }
    }

    /// What another program needs to go on: how far it is, and the bytes on their way. It could also go on here.
    pub(crate) fn carry(&mut self) -> io::Result<(Flow, &[u8])> {
        if let Some(pipe) = self.pipe.as_mut().filter(|pipe| pipe.holds > 0) {
            // A pipe is filled only once everything before has been written.
            self.residue = pipe.empty()?;
        }
        Ok((self.flow, &self.residue[self.written..]))
    }

    /// Passes on what can be passed on. Ready once the sender has ended and the receiver knows.
    pub(crate) fn poll(
        &mut self,
        from: &mut TcpStream,
        to: &mut TcpStream,
        shared: &mut Shared<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        for _ in 0..STEPS {
            ready!(self.flush(to, cx))?;
            match self.flow {
                Flow::Open => {}
                Flow::Ending => {
                    self.flow = Flow::Ended;
                    return Pin::new(to).poll_shutdown(cx).map(is_gone_anyway);
                }
                Flow::Ended => return Poll::Ready(Ok(())),
            }
            let moved = match self.advance(from, to, shared, cx) {
                Poll::Ready(moved) => moved?,
                Poll::Pending => {
                    self.pipe.take().into_iter().for_each(|pipe| shared.pipes.give_back(pipe));
                    return Poll::Pending;
                }
            };
            self.bytes += moved as u64;
            if moved == 0 {
                self.flow = Flow::Ending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Moves some bytes from the sender: how many, 0 when it has ended.
    fn advance(
        &mut self,
        from: &mut TcpStream,
        to: &mut TcpStream,
        shared: &mut Shared<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.is_bulk && self.pipe.is_none() {
            self.pipe = shared.pipes.borrow();
        }
        match &mut self.pipe {
            Some(pipe) => {
                let moved = ready!(fill(pipe, from, cx));
                self.is_bulk = moved.as_ref().is_ok_and(|moved| *moved >= BULK);
                match moved {
                    // The kernel cannot splice these sockets: they are read and written.
                    Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                        self.copy(from, to, shared, cx)
                    }
                    moved => Poll::Ready(moved),
                }
            }
            None => self.copy(from, to, shared, cx),
        }
    }

    fn copy(
        &mut self,
        from: &mut TcpStream,
        to: &mut TcpStream,
        shared: &mut Shared<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(shared.buffer);
        ready!(Pin::new(from).poll_read(cx, &mut buffer))?;
        let bytes = buffer.filled();
        self.is_bulk = bytes.len() == BUFFER;
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let written = match Pin::new(to).poll_write(cx, bytes) {
            Poll::Ready(written) => written?,
            Poll::Pending => 0,
        };
        if written < bytes.len() {
            self.residue = bytes[written..].to_vec();
        }
        Poll::Ready(Ok(bytes.len()))
    }

    /// Ready when nothing is on its way any more. A pipe that is empty goes back when the sender is waited for.
    fn flush(&mut self, to: &mut TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.residue.len() {
            self.written += ready!(Pin::new(&mut *to).poll_write(cx, &self.residue[self.written..]))?;
        }
        if self.written > 0 {
            self.residue = Vec::new();
            self.written = 0;
        }
        while let Some(pipe) = self.pipe.as_mut().filter(|pipe| pipe.holds > 0) {
            ready!(to.poll_write_ready(cx))?;
            match pipe.drain(to) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Poll::Ready(Err(error)),
                _ => {}
            }
        }
        Poll::Ready(Ok(()))
    }
}

fn fill(pipe: &mut Pipe, from: &TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    loop {
        ready!(from.poll_read_ready(cx))?;
        match pipe.fill(from) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            moved => return Poll::Ready(moved),
        }
    }
}

/// Who has closed its end already need not be told that the other one has.
fn is_gone_anyway(told: io::Result<()>) -> io::Result<()> {
    told.or_else(|error| if error.kind() == io::ErrorKind::NotConnected { Ok(()) } else { Err(error) })
}

/// Adds what a direction has moved since `before`.
pub(crate) fn count(total: &AtomicU64, before: u64, direction: &Direction) {
    total.fetch_add(direction.bytes - before, Ordering::Relaxed);
}
