//! The CPU time and memory of a process.

use std::time::Duration;

use rustix::time::ClockId;

use crate::stat::Stat;

/// The usage of a process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// CPU time per wall time since the process started, in percent of one CPU, to a tenth.
    pub cpu_percent: f64,
    /// CPU time used since the process started, in seconds.
    pub cpu_seconds: f64,
    /// Resident memory, in bytes.
    pub memory_bytes: u64,
    /// How long ago the process started.
    pub lived: Duration,
}

impl Usage {
    /// Computed from the process's line in `/proc`.
    pub fn of(stat: &Stat) -> Self {
        let ticks_per_second = rustix::param::clock_ticks_per_second().max(1);
        let seconds =
            |ticks: u64| Duration::from_millis(ticks.saturating_mul(1000) / ticks_per_second).as_secs_f64();
        let lived = since_boot() - seconds(stat.start_time);
        let cpu_seconds = seconds(stat.cpu_ticks);
        let percent = if lived > 0.0 { 100.0 * cpu_seconds / lived } else { 0.0 };
        let cpu_percent = (percent * 10.0).round() / 10.0;
        let page_bytes = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
        let lived = Duration::try_from_secs_f64(lived).unwrap_or_default();
        Self { cpu_percent, cpu_seconds, memory_bytes: stat.resident_pages * page_bytes, lived }
    }
}

/// How much memory processes use together, in bytes: of shared memory each process counts its part. If the kernel does not report that,
/// the whole resident memory counts.
pub fn memory_of(pids: &[u32]) -> u64 {
    let page_bytes = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
    let part = |pid: u32| {
        let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let kibibytes = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        kibibytes.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kibibytes| kibibytes << 10)
    };
    let resident = |pid: u32| Stat::of(pid).map(|stat| stat.resident_pages * page_bytes);
    pids.iter().filter_map(|pid| part(*pid).or_else(|| resident(*pid))).sum()
}

/// The time since boot, in seconds.
fn since_boot() -> f64 {
    let now = rustix::time::clock_gettime(ClockId::Boottime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs().try_into().unwrap_or(0)).as_secs_f64()
}
