//! What passes between a supervisor in the foreground and whoever runs it: what that one brings along, what it is told, and
//! what it answers.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use formation::Slot;
use rustix::process::Signal;

use crate::status::Status;

/// What whoever looks on brings along.
#[derive(Debug, Default)]
pub struct Attachment {
    /// The slot whose processes share our stdin.
    pub stdin: Option<Slot>,
    /// Everything ends once one of these can be read.
    pub ends_with: Vec<OwnedFd>,
    /// Where each instance writes to a terminal of its own instead of a pipe: how many columns of ours it must leave free.
    pub terminals: Option<u16>,
    /// Whether SIGHUP is not to end anything, as under nohup.
    pub ignores_hangup: bool,
}

/// Something that happened, for whoever looks on.
#[derive(Debug)]
pub enum Change {
    /// What the processes of a slot write can be read here, without blocking, from now on. The writing end stays open:
    /// "nothing there" is never "nothing more".
    Output {
        /// The slot.
        slot: Slot,
        /// The end to read from.
        reader: OwnedFd,
    },
    /// An instance is in another state.
    Instance {
        /// What it is doing.
        status: Box<Status>,
        /// When it is started again, if it waits for that.
        starts_in: Option<Duration>,
    },
    /// Everything is being ended: SIGTERM was sent, the grace period runs.
    Ending {
        /// Why.
        cause: Cause,
        /// What still runs: slots and main processes.
        waits_for: Vec<(Slot, u32)>,
    },
    /// The grace period is cut short: SIGKILL was sent.
    Killing {
        /// What still ran.
        waits_for: Vec<(Slot, u32)>,
    },
    /// A signal was passed on to the main processes.
    PassedOn(Signal),
}

/// Why everything is being ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A signal.
    Signal(Signal),
    /// This one of [`Attachment::ends_with`] could be read.
    Descriptor(usize),
    /// [`Reaction::EndAll`].
    Asked,
    /// A client of the control socket asked.
    Client,
}

/// What whoever looks on wants done about a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// What is done anyway.
    GoOn,
    /// This instance is not started again.
    LeaveIt,
    /// Everything ends.
    EndAll,
}

/// How waiting ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// What was waited for is there.
    Ready,
    /// A signal came.
    Signal,
    /// The time has passed.
    Late,
}

/// What the supervisor keeps of it.
#[derive(Debug)]
pub(crate) struct Attached {
    pub(crate) attachment: Attachment,
    pub(crate) news: Vec<Change>,
    /// When the end of everything began.
    pub(crate) ending_since: Option<Instant>,
}
