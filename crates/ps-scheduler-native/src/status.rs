//! The status of an app's instances, from their status files and /proc.

use std::fs;
use std::path::Path;
use std::time::Duration;

use formation::{Slot, State};
use ps_scheduler::{AppStatus, Error, Instance, Over};
use ps_supervisor::{ProcessId, Status};

use crate::service::Service;

/// Every instance that has a status, ordered by type, then index; CPU and memory are left out.
pub(crate) fn instances(service: &Service) -> Result<Vec<Instance>, Error> {
    each(service, |_| None, &[], None)
}

/// The same, with what their processes use, whether they are over, and what is wrong beside that.
pub(crate) fn app(service: &Service) -> Result<AppStatus, Error> {
    let (spec, unreadable) = match service.spec() {
        Ok(spec) => (spec, None),
        Err(error) => (None, Some(error.to_string())),
    };
    let (stopped, typed) = spec.map(|spec| (spec.stopped, spec.typed)).unwrap_or_default();
    let instances = each(service, Usage::of, &stopped, typed.as_deref())?;
    let app = service.app.to_string();
    let mut troubles: Vec<String> = unreadable.into_iter().collect();
    for slot in service.slots()? {
        match Status::read(&service.instance(&slot)) {
            Ok(status) => {
                let reason = status.and_then(|status| status.reason);
                troubles.extend(reason.map(|reason| format!("{slot} of {app}: {reason}")));
            }
            Err(error) => troubles.push(format!("{slot} of {app}: {error}")),
        }
    }
    if !service.directory.exists() && service.world.is_deployed(&service.app).unwrap_or(false) {
        troubles.push(format!(
            "{} of {app} is missing, so nothing is known of what runs: {} begins anew, stop ends it",
            service.directory.display(),
            service.command(if service.world.inside_dokku() { "rebuild" } else { "start" })
        ));
    }
    let is_kept = |instance: &Instance| instance.pid.is_some() || instance.state == State::Backoff;
    if instances.iter().any(is_kept) && service.connect().is_none() {
        troubles.push(format!(
            "no supervisor keeps {app} alive and takes its output: {} starts one",
            service.command("start")
        ));
    }
    Ok(AppStatus { app, instances, troubles })
}

/// Why the status files of instances that are unknown cannot be read.
pub(crate) fn unreadable(service: &Service, instances: &[Instance]) -> Vec<String> {
    let unknown = instances.iter().filter(|instance| instance.state == State::Unknown);
    let why = |slot: &Slot| Status::read(&service.instance(slot)).err();
    unknown
        .filter_map(|Instance { slot, .. }| Some(format!("{slot} of {}: {}", service.app, why(slot)?)))
        .collect()
}

fn each(
    service: &Service,
    usage: fn(&ProcessId) -> Option<Usage>,
    stopped: &[Slot],
    typed: Option<&Path>,
) -> Result<Vec<Instance>, Error> {
    let mut instances = Vec::new();
    for slot in service.slots()? {
        let over = stopped.contains(&slot).then_some(Over::StoppedByHand);
        match Status::read(&service.instance(&slot)) {
            Ok(Some(status)) => {
                let instance = instance(&status, typed, usage);
                instances.push(Instance { over: over.or(instance.over), ..instance });
            }
            Ok(None) => (),
            // It may run or not: its supervisor knows, and writes it down anew with the next verb.
            Err(_) => instances.push(Instance { over, ..Instance::new(slot, State::Unknown) }),
        }
    }
    Ok(instances)
}

fn instance(status: &Status, typed: Option<&Path>, usage: fn(&ProcessId) -> Option<Usage>) -> Instance {
    let process = status.process.as_ref().filter(|process| process.is_alive());
    let is_told_alive = status.state.is_alive() || status.state == State::Stopping;
    let is_backoff = status.state == State::Backoff;
    let state = match process {
        // A job that ended while nobody looked is over, however it ended.
        None if is_told_alive && status.job => State::Stopped,
        None if is_told_alive => State::Missing,
        _ => status.state,
    };
    let ended_unseen = process.is_none() && is_told_alive;
    let over = match state {
        State::Crashed => Some(Over::GivenUp),
        State::Stopped if status.done || ended_unseen => Some(Over::Finished),
        _ => None,
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
        last_exit: status.last_exit.filter(|_| !ended_unseen),
        over,
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
