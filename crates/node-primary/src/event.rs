//! The events that a primary reports to its owner.

use std::io;
use std::os::fd::OwnedFd;

use crate::place::Place;
use crate::wire::Said;
use crate::worker::Id;

/// An event.
#[derive(Debug)]
pub enum Event {
    /// A worker listens, for the first time: it is ready.
    Listens(Id),
    /// A worker will disconnect, because its program asks for it.
    Leaves(Id),
    /// The channel of a worker is closed. If the worker was told to leave, it has no connection any more.
    Ended(Id),
    /// A worker cannot listen at a place. Its program gets the error, and usually ends.
    CannotListen {
        /// The worker.
        worker: Id,
        /// Where it wanted to listen.
        place: Place,
        /// The error of the system.
        why: io::Error,
    },
    /// A message of the app (`process.send`).
    Message {
        /// The worker.
        worker: Id,
        /// The message as JSON.
        text: Vec<u8>,
        /// The descriptor that came with the message.
        handle: Option<OwnedFd>,
    },
    /// A connection was closed, because each worker has as many as it permits (`maxConnections`).
    Refused,
    /// A worker has sent a line that cannot be parsed. The line is skipped.
    Odd(Id, Oddity),
}

/// The problem of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oddity {
    /// The line is not JSON.
    Garbage,
    /// The line has this number of bytes, which is more than [`LONGEST`](crate::LONGEST).
    TooLong(u64),
}

impl Event {
    pub(crate) fn message(worker: Id, said: &Said, line: Vec<u8>, handle: Option<OwnedFd>) -> Self {
        let text = match said {
            Said::Carried(message) => message.to_string().into_bytes(),
            _ => line,
        };
        Self::Message { worker, text, handle }
    }
}
