//! The clock of a rollout: time since the machine was started, sleep included. It does not jump, and no executor's death
//! stops it.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// What it shows.
pub(crate) fn now() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}
