//! Pipes through which the kernel moves bytes from one socket to another (splice(2)). A connection borrows one only
//! while many bytes flow; an idle connection has none. Pipes are scarce, because the kernel limits their pages for each
//! user.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, splice};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// The most bytes of one call. A pipe holds 64 KiB unless its size was changed.
const MOST: usize = 1 << 20;
/// How many pipes wait in the pool for the next borrower.
const SPARE: usize = 16;

/// The pool.
#[derive(Debug)]
pub(crate) struct Pool {
    spare: Mutex<Vec<Pipe>>,
    /// A clone is in each pipe, so that those that are lost with their connection are counted too.
    tally: Arc<()>,
    most: usize,
}

/// A pipe, and how many bytes are in it.
#[derive(Debug)]
pub(crate) struct Pipe {
    reader: OwnedFd,
    writer: OwnedFd,
    pub(crate) holds: usize,
    _tally: Arc<()>,
}

impl Pool {
    pub(crate) fn new(most: usize) -> Self {
        Self { spare: Mutex::default(), tally: Arc::new(()), most }
    }

    /// An empty pipe; none where there are enough of them, or where the system has none left.
    pub(crate) fn borrow(&self) -> Option<Pipe> {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if spare.is_some() || Arc::strong_count(&self.tally) > self.most {
            return spare;
        }
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).ok()?;
        Some(Pipe { reader, writer, holds: 0, _tally: Arc::clone(&self.tally) })
    }

    /// Takes a pipe back. A pipe that still holds bytes is destroyed, so that no other connection gets them.
    pub(crate) fn give_back(&self, pipe: Pipe) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if pipe.holds == 0 && spare.len() < SPARE {
            spare.push(pipe);
        }
    }
}

impl Pipe {
    /// Moves what the socket has into the empty pipe, as far as it fits.
    pub(crate) fn fill(&mut self, from: &TcpStream) -> io::Result<usize> {
        let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
        let moved = from.try_io(Interest::READABLE, || {
            Ok(rustix::io::retry_on_intr(|| splice(from, None, &self.writer, None, MOST, flags))?)
        })?;
        self.holds += moved;
        Ok(moved)
    }

    /// What the pipe holds; it is empty then.
    pub(crate) fn empty(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.holds];
        let mut read = 0;
        while read < bytes.len() {
            read += rustix::io::retry_on_intr(|| rustix::io::read(&self.reader, &mut bytes[read..]))?;
        }
        self.holds = 0;
        Ok(bytes)
    }

    /// Moves what the pipe holds into the socket, as far as there is room.
    pub(crate) fn drain(&mut self, to: &TcpStream) -> io::Result<usize> {
        let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
        let moved = to.try_io(Interest::WRITABLE, || {
            Ok(rustix::io::retry_on_intr(|| splice(&self.reader, None, to, None, self.holds, flags))?)
        })?;
        self.holds -= moved;
        Ok(moved)
    }
}
