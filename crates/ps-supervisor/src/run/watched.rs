//! What belongs to a run of which something is asked.

use crate::health::{Monitor, Surroundings};

/// A run that something is asked of.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) monitor: Monitor,
    /// What its commands are started with; why they cannot be.
    pub(super) surroundings: Option<Result<Surroundings, String>>,
    /// Whether its processes were told where they can say how they are.
    pub(super) is_told: bool,
}
