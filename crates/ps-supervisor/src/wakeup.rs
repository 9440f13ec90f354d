//! The kinds of events that wake the event loop of a supervisor.

use formation::Slot;
use ps_rollout::Run;

/// What a watched descriptor belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wakeup {
    /// A child has exited.
    ChildSignal,
    /// A signal has arrived.
    Signal,
    /// This descriptor of an attachment is readable: everything is to end.
    End(usize),
    /// A process has sent a message to the notify socket.
    Notify,
    /// A client connects.
    Listener,
    /// A client has sent something, or can be sent something.
    Client(u64),
    /// A run has written output.
    Output {
        /// Its slot.
        slot: Slot,
        /// The run that began the logs it writes to.
        began: u64,
        /// 0 is stdout, 1 is stderr.
        index: usize,
    },
    /// The adopted process of the run with this number has ended.
    Adopted(Slot, u64),
    /// The check of this number has news: its command has written, or its connection is ready.
    Check(Run, usize),
    /// The memory of a run has something to report: its slot, whether the run is on the second lane, and which
    /// descriptor is readable.
    Memory(Slot, bool, usize),
    /// Watched files have changed.
    Files(usize),
    /// A time has come at which something is due, or the clock was set.
    Clock,
    /// A client connects to the app, at the address of this index.
    Address(usize),
    /// `ps-balance` has said something, or has ended.
    Balance,
}

impl Wakeup {
    /// Whether a run has written output.
    pub(crate) fn is_output(&self) -> bool {
        matches!(self, Self::Output { .. })
    }

    /// Whether it belongs to a run of this slot.
    pub(crate) fn is_of(&self, of: &Slot) -> bool {
        match self {
            Self::Output { slot, .. } | Self::Adopted(slot, _) | Self::Memory(slot, ..) => slot == of,
            Self::Check(run, _) => run.slot == *of,
            Self::ChildSignal
            | Self::Signal
            | Self::End(_)
            | Self::Notify
            | Self::Listener
            | Self::Client(_)
            | Self::Files(_)
            | Self::Address(_)
            | Self::Balance
            | Self::Clock => false,
        }
    }
}
