//! What happens to a supervisor, by where it comes from.

use formation::Slot;
use ps_rollout::Run;

/// What a descriptor belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// A child ended.
    ChildSignal,
    /// Somebody sent us a signal.
    Signal,
    /// That descriptor of an attachment can be read: everything is to end.
    End(usize),
    /// A process says how it is.
    Notify,
    /// Somebody connects.
    Listener,
    /// A client speaks, or can be spoken to.
    Client(u64),
    /// A run writes.
    Output {
        /// Its slot.
        slot: Slot,
        /// The run that began the logs it writes to.
        began: u64,
        /// 0 is stdout, 1 is stderr.
        index: usize,
    },
    /// The adopted process of the run with this number ended.
    Adopted(Slot, u64),
    /// Whoever is asked about a run has answered, by the place of the check among those of the run.
    Check(Run, usize),
    /// Files changed that are watched.
    Files(usize),
}

impl Source {
    /// Whether it comes from a run of this slot.
    pub(crate) fn is_of(&self, of: &Slot) -> bool {
        match self {
            Self::Output { slot, .. } | Self::Adopted(slot, _) => slot == of,
            Self::Check(run, _) => run.slot == *of,
            Self::ChildSignal
            | Self::Signal
            | Self::End(_)
            | Self::Notify
            | Self::Listener
            | Self::Client(_)
            | Self::Files(_) => false,
        }
    }
}
