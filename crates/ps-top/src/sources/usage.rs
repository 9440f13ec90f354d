//! The CPU and memory use of processes between two measurements.

use std::collections::HashMap;
use std::time::Instant;

use os_process::{Stat, Usage};

use crate::message::Used;

/// Remembers the CPU time of each process.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// By pid: when the process started, the CPU time that it had used in clock ticks, and the time of that
    /// measurement.
    last: HashMap<u32, (u64, u64, Instant)>,
}

impl Meter {
    /// The usage of each process since the last measurement, and the pids that do not exist any more.
    pub(crate) fn measure(&mut self, pids: &[u32]) -> (Vec<(u32, Used)>, Vec<u32>) {
        let mut before = std::mem::take(&mut self.last);
        let (mut used, mut gone) = (Vec::new(), Vec::new());
        for pid in pids {
            let Some(stat) = Stat::of_living(*pid) else {
                gone.push(*pid);
                continue;
            };
            let now = Instant::now();
            let earlier = before.remove(pid).filter(|(started, ..)| *started == stat.start_time);
            let cpu_percent = earlier.map(|(_, ticks, at)| {
                percent(stat.cpu_ticks.saturating_sub(ticks), now.duration_since(at).as_secs_f64())
            });
            self.last.insert(*pid, (stat.start_time, stat.cpu_ticks, now));
            used.push((*pid, Used { cpu_percent, memory_bytes: Usage::of(&stat).memory_bytes }));
        }
        (used, gone)
    }
}

#[expect(clippy::cast_precision_loss, reason = "clock ticks of about a second")]
fn percent(ticks: u64, seconds: f64) -> f64 {
    let a_second = rustix::param::clock_ticks_per_second().max(1);
    if seconds > 0.0 { 100.0 * ticks as f64 / a_second as f64 / seconds } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_measured_from_the_second_look_on_and_one_that_is_gone_is_told() {
        let own = std::process::id();
        let mut meter = Meter::default();
        let (first, gone) = meter.measure(&[own, u32::MAX - 1]);
        assert_eq!((first[0].1.cpu_percent, gone), (None, vec![u32::MAX - 1]));
        let (second, _) = meter.measure(&[own]);
        assert!(second[0].1.cpu_percent.is_some() && second[0].1.memory_bytes > 0, "{second:?}");
        meter.measure(&[]);
        assert!(meter.last.is_empty(), "what nobody asks for is forgotten");
    }
}
