//! What wears a native instance out while it lives: a CPU that it keeps busy, memory close to its limit, output that is lost.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::{Duration, Instant};
use std::{fs, thread};

use ps_scheduler::{AppStatus, Instance};

use crate::facts::{Known, Strain};

/// How long the use of the CPU is measured.
const MEASURED: Duration = Duration::from_millis(250);
/// What has used less CPU time than this, in seconds, since it started is not measured.
const LITTLE: f64 = 0.5;

/// Adds what is seen of the instances that live.
pub(super) fn add(status: &AppStatus, instances: &mut [Known]) {
    let busy = shares(status);
    for known in instances {
        let Some(now) = of(status, known) else { continue };
        let limit = now.limits.as_ref().and_then(|limits| limits.memory_max);
        known.strain = Strain {
            busy_percent: busy.iter().find(|(slot, _)| *slot == known.slot).map(|(_, percent)| *percent),
            memory: now.memory_bytes.zip(limit),
            dropped_bytes: now.log_dropped_bytes.unwrap_or(0),
        };
    }
}

fn of<'a>(status: &'a AppStatus, known: &Known) -> Option<&'a Instance> {
    let is_it = |instance: &&Instance| instance.slot.to_string() == known.slot && instance.run == known.run;
    status.instances.iter().filter(|instance| instance.state.is_alive()).find(is_it)
}

/// How much of the time each instance computes right now, or waits for a CPU, by the thread that does so most, in percent. On a machine that
/// is short of CPUs what computes without end waits as well.
fn shares(status: &AppStatus) -> Vec<(String, f64)> {
    let lives = |instance: &&Instance| instance.cpu_seconds.is_some_and(|seconds| seconds >= LITTLE);
    let pids: Vec<(String, u32)> = status
        .instances
        .iter()
        .filter(lives)
        .filter_map(|instance| Some((instance.slot.to_string(), instance.program.or(instance.pid)?)))
        // What computes without end does so at any moment. For all others nobody has to wait.
        .filter(|(_, pid)| os_process::computes(*pid))
        .collect();
    if pids.is_empty() {
        return Vec::new();
    }
    let began = Instant::now();
    let first: Vec<_> = pids.iter().map(|(_, pid)| wanted(*pid)).collect();
    thread::sleep(MEASURED);
    let share = |((slot, pid), first): ((String, u32), BTreeMap<OsString, u64>)| {
        let later = wanted(pid);
        let spent = |(thread, then): (&OsString, &u64)| Some(later.get(thread)?.saturating_sub(*then));
        let most = first.iter().filter_map(spent).max()?;
        let percent = Duration::from_nanos(most).as_secs_f64() / began.elapsed().as_secs_f64() * 100.0;
        Some((slot, percent.min(100.0)))
    };
    pids.into_iter().zip(first).filter_map(share).collect()
}

/// How long each thread of a process has computed and has waited for a CPU, in nanoseconds.
fn wanted(pid: u32) -> BTreeMap<OsString, u64> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return BTreeMap::new() };
    let of = |thread: fs::DirEntry| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        let mut numbers = text.split_whitespace().map_while(|number| number.parse::<u64>().ok());
        Some((thread.file_name(), numbers.next()? + numbers.next()?))
    };
    threads.flatten().filter_map(of).collect()
}
