//! The clock of rollouts: the time since boot, including sleep. It never jumps, and it is the same for the next executor.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The current time.
pub(crate) fn now() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}
