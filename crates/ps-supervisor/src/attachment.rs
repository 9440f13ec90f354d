//! What a supervisor in the foreground and the foreground program, which runs it inside its own process, exchange: what the
//! program hands over at the start, the changes it is told of, and its reactions.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use formation::Slot;
use rustix::process::Signal;

use crate::status::Status;

/// What the foreground program hands over at the start.
#[derive(Debug, Default)]
pub struct Attachment {
    /// The slot whose processes share the program's stdin.
    pub stdin: Option<Slot>,
    /// The supervisor ends everything as soon as one of these becomes readable.
    pub ends_with: Vec<OwnedFd>,
    /// `Some`: each instance writes to a pseudo-terminal of its own instead of a pipe, which is this many columns narrower
    /// than ours.
    pub terminals: Option<u16>,
    /// Whether SIGHUP is ignored, as under nohup.
    pub ignores_hangup: bool,
}

/// A change that is reported to the foreground program.
#[derive(Debug)]
pub enum Change {
    /// The output of a slot can be read here, without blocking, from now on. The supervisor keeps a writing end open, so
    /// the reader never sees an end of file.
    Output {
        /// The slot.
        slot: Slot,
        /// The end to read from.
        reader: OwnedFd,
    },
    /// An instance has changed its state.
    Instance {
        /// Its status.
        status: Box<Status>,
        /// When it is started again, if it is in backoff.
        starts_in: Option<Duration>,
    },
    /// Something about instances that no request has caused: files have changed, or a scheduled time was missed.
    Note {
        /// Which instances.
        slots: Vec<Slot>,
        /// What, for people.
        what: String,
    },
    /// The shutdown has begun: SIGTERM was sent, and the grace period runs.
    Ending {
        /// Why.
        cause: Cause,
        /// What still runs: slots and the pids of their main processes.
        waits_for: Vec<(Slot, u32)>,
    },
    /// The grace period was cut short: SIGKILL was sent.
    Killing {
        /// The signal that asked for it.
        signal: Signal,
        /// What still ran.
        waits_for: Vec<(Slot, u32)>,
    },
    /// A signal was forwarded to the main processes.
    PassedOn(Signal),
}

/// Why the shutdown began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A signal.
    Signal(Signal),
    /// The descriptor of this index in [`Attachment::ends_with`] became readable.
    Descriptor(usize),
    /// The foreground program answered [`Reaction::EndAll`].
    Asked,
    /// A client of the control socket asked for it.
    Client,
}

/// What the foreground program wants done about a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// What the supervisor does by itself.
    GoOn,
    /// This instance is not started again.
    LeaveIt,
    /// Everything is shut down.
    EndAll,
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// A descriptor has become ready.
    Ready,
    /// A signal arrived.
    Signal,
    /// The timeout has passed.
    Late,
}

/// The supervisor's own record of the attachment.
#[derive(Debug)]
pub(crate) struct Attached {
    pub(crate) attachment: Attachment,
    pub(crate) news: Vec<Change>,
    /// When the shutdown began.
    pub(crate) ending_since: Option<Instant>,
}
