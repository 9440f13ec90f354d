//! The time since boot. It goes on while the machine sleeps, and does not change when the wall clock is set. The kernel
//! uses it for the start times of processes.

use std::time::Duration;

/// How long ago the machine was booted.
pub fn since_boot() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let nanoseconds = u32::try_from(now.tv_nsec).unwrap_or(0);
    Duration::new(now.tv_sec.unsigned_abs(), nanoseconds)
}

/// The time since boot in clock ticks, the unit of a process's start time.
pub(crate) fn ticks_since_boot() -> u64 {
    let now = since_boot();
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    now.as_secs() * per_second + u64::from(now.subsec_nanos()) * per_second / 1_000_000_000
}

/// A number of clock ticks as a duration.
pub(crate) fn of_ticks(ticks: u64) -> Duration {
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    Duration::from_secs(ticks / per_second)
        + Duration::from_secs(ticks % per_second) / u32::try_from(per_second).unwrap_or(1)
}
