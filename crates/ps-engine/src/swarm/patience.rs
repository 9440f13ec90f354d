//! How long to wait for a manager's answer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::deadline::SHORT;

/// A manager that has lost its leader holds every request for 20 s, but answers requests that come after the election of a new leader at
/// once. So after an answer that did not come, the next one is waited for less long.
const AGAIN: Duration = Duration::from_secs(4);

/// Whether the last request to a manager went without an answer.
#[derive(Debug, Default)]
pub(crate) struct Patience(AtomicBool);

impl Patience {
    /// How long to wait for the next answer.
    pub(crate) fn limit(&self) -> Duration {
        if self.0.load(Ordering::Relaxed) { AGAIN } else { SHORT }
    }

    /// Records whether the answer to the last request came too late.
    pub(crate) fn was_late(&self, is_late: bool) {
        self.0.store(is_late, Ordering::Relaxed);
    }
}
