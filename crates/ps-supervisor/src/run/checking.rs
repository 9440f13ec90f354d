//! The part of a run that only runs with checks or a watchdog have.

use crate::health::{Monitor, Surroundings};

/// The checks of a run and what they need.
#[derive(Debug)]
pub(super) struct Checking {
    pub(super) monitor: Monitor,
    /// The directory and variables of check commands, or the reason why they are not available.
    pub(super) surroundings: Option<Result<Surroundings, String>>,
    /// Whether its processes were given `NOTIFY_SOCKET`.
    pub(super) is_told: bool,
}
