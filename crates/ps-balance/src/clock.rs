//! The clock of this program: the time since boot. It cannot be set, and a program that is executed in our place
//! continues with the same times.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

/// Now.
pub(crate) fn now() -> Duration {
    let time = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).expect("the monotonic clock begins at 0");
    let nanos = u32::try_from(time.tv_nsec).expect("a second has 10^9 nanoseconds");
    Duration::new(seconds, nanos)
}

/// The same point in time for a timer.
pub(crate) fn instant(at: Duration) -> Instant {
    Instant::now() + at.saturating_sub(now())
}
