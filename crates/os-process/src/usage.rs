//! What a process uses of the machine.

use std::fs;
use std::time::Duration;

use crate::identity::ProcessId;
use crate::stat::Stat;

/// What a process uses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// CPU time per wall time since it started, in percent of one CPU, to a tenth.
    pub cpu_percent: f64,
    /// Resident memory, in bytes.
    pub memory_bytes: u64,
    /// How long ago it started.
    pub lived: Duration,
}

impl Usage {
    /// From /proc (proc(5): stat, statm); `None` if it has ended.
    pub fn of(process: &ProcessId) -> Option<Self> {
        let stat = Stat::of(process.pid)?;
        let ticks_per_second = rustix::param::clock_ticks_per_second().max(1);
        let seconds =
            |ticks: u64| Duration::from_millis(ticks.saturating_mul(1000) / ticks_per_second).as_secs_f64();
        let used = seconds(stat.cpu_ticks);
        let lived = uptime()? - seconds(process.start_time);
        let statm = fs::read_to_string(format!("/proc/{}/statm", process.pid)).ok()?;
        let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
        let page_bytes = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
        let percent = if lived > 0.0 { 100.0 * used / lived } else { 0.0 };
        let cpu_percent = (percent * 10.0).round() / 10.0;
        let lived = Duration::try_from_secs_f64(lived).unwrap_or_default();
        Some(Self { cpu_percent, memory_bytes: pages * page_bytes, lived })
    }
}

fn uptime() -> Option<f64> {
    fs::read_to_string("/proc/uptime").ok()?.split(' ').next()?.parse().ok()
}
