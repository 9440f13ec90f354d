//! Where the main process of a run came from.

use crate::process::Process;

/// Where its first main process came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Descent {
    /// This very process started it, so whatever outlives its parent becomes our child.
    FromUs,
    /// Another process did.
    Unknown,
}

impl Descent {
    /// That of a process that was taken over.
    pub(super) fn of(process: &Process) -> Self {
        if process.pidfd().is_none() { Self::FromUs } else { Self::Unknown }
    }
}
