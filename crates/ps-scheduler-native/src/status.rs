//! The status of an app's instances, from their status files and /proc.

use std::fs;
use std::path::Path;
use std::time::Duration;

use ps_scheduler::{Error, Instance, State};
use ps_supervisor::{ProcessId, Status};

use crate::service::{Service, backend};

/// Every instance that has a status, ordered by type, then index; CPU and memory are left out.
pub(crate) fn instances(service: &Service) -> Result<Vec<Instance>, Error> {
    each(service, None, |_| None)
}

/// The same, with what their processes use and from which path they were deployed.
pub(crate) fn instances_and_usage(service: &Service) -> Result<Vec<Instance>, Error> {
    // A spec that cannot be read takes no status with it.
    let typed = service.spec().ok().flatten().and_then(|spec| spec.typed);
    each(service, typed.as_deref(), Usage::of)
}

fn each(
    service: &Service,
    typed: Option<&Path>,
    usage: fn(&ProcessId) -> Option<Usage>,
) -> Result<Vec<Instance>, Error> {
    let mut instances = Vec::new();
    for slot in service.slots()? {
        let status = Status::read(&service.instance(&slot));
        let status = status.map_err(|error| backend(format!("read the status of {slot}"), &error))?;
        instances.extend(status.map(|status| instance(&status, typed, usage)));
    }
    Ok(instances)
}

fn instance(status: &Status, typed: Option<&Path>, usage: fn(&ProcessId) -> Option<Usage>) -> Instance {
    let process = status.process.as_ref().filter(|process| process.is_alive());
    let is_told_alive = status.state.is_alive() || status.state == State::Stopping;
    let is_backoff = status.state == State::Backoff;
    let state = match process {
        None if is_told_alive => State::Missing,
        _ => status.state,
    };
    let usage = process.and_then(usage);
    Instance {
        pid: process.map(|process| process.pid),
        address: status
            .port
            .filter(|_| state.is_alive() || is_backoff)
            .map(|port| format!("127.0.0.1:{port}")),
        port: status.port,
        since: Some(status.since),
        restarts: Some(status.restarts),
        cpu_percent: usage.as_ref().map(|usage| usage.cpu_percent),
        memory_bytes: usage.as_ref().map(|usage| usage.memory_bytes),
        last_exit: status.last_exit,
        typed_directory: typed
            .filter(|typed| Some(*typed) != status.directory.as_deref())
            .map(Path::to_owned),
        directory: status.directory.clone(),
        note: status.reason.clone().or_else(|| status.note.clone()),
        ..Instance::new(status.slot.clone(), state)
    }
}

/// What a process uses.
pub(crate) struct Usage {
    pub(crate) cpu_percent: f64,
    pub(crate) memory_bytes: u64,
    /// Since it started.
    pub(crate) lived: Duration,
}

impl Usage {
    /// CPU time per wall time since it started, and resident memory (proc(5): stat, statm).
    pub(crate) fn of(process: &ProcessId) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", process.pid)).ok()?;
        let (_, after_name) = stat.rsplit_once(") ")?;
        let fields: Vec<u64> = after_name.split(' ').map(|field| field.parse().unwrap_or(0)).collect();
        let ticks_per_second = rustix::param::clock_ticks_per_second().max(1);
        let seconds =
            |ticks: u64| Duration::from_millis(ticks.saturating_mul(1000) / ticks_per_second).as_secs_f64();
        let used = seconds(fields.get(11)? + fields.get(12)?);
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
