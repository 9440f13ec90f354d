//! Sends a signal to instances by pidfd, so it never reaches another process that has got the same pid. The supervisor is
//! not needed.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;

use formation::Slot;
use os_process::{ProcessId, Processes, handles, send_signal, start_time, user_name};
use ps_scheduler::{Error, SignalOrder, Signalled};
use ps_service::Service;
use ps_supervisor::Statuses;
use rustix::process::Signal;

use crate::status;

/// Sends a signal to each living run in the selected slots, and returns the result for each slot.
pub(crate) fn send(service: &Service, order: &SignalOrder) -> Result<Vec<(Slot, Signalled)>, Error> {
    let signal = Signal::from_named_raw(i32::from(order.signal.number()))
        .expect("every signal that has a name here has one on Linux");
    let mut trees = Processes::new(ps_supervisor::MARKER);
    let mut told: Vec<(Slot, Signalled)> = Vec::new();
    let statuses = Statuses::of(&service.directory);
    for instance in status::instances(service)?.into_iter().filter(|one| order.which.includes(&one.slot)) {
        let run = instance.run.unwrap_or(0);
        let main = main_process(&statuses, &instance.slot, run).filter(ProcessId::is_alive);
        let outcome = match main {
            None => Signalled::NotRunning(instance.state),
            Some(main) if order.if_handled && handles(main.pid, signal) == Some(false) => {
                Signalled::Refused {
                    reason: format!("process {} has no handler for {}", main.pid, order.signal),
                }
            }
            Some(main) if order.main_alone => sent(one(&main, signal).map(usize::from), main.pid),
            Some(main) => {
                let mark = ps_supervisor::mark(&service.directory, &instance.slot, run);
                tree(trees.members(&mark, main.pid), signal)
            }
        };
        match told.last_mut().filter(|(slot, _)| *slot == instance.slot) {
            // The slot has a second run, because it is being replaced.
            Some((_, before)) => *before = both(before.clone(), outcome),
            None => told.push((instance.slot, outcome)),
        }
    }
    Ok(told)
}

fn main_process(statuses: &Statuses, slot: &Slot, run: u64) -> Option<ProcessId> {
    let runs = statuses.read_all(slot).ok()?;
    runs.into_iter().find(|status| status.run == run)?.process
}

fn one(process: &ProcessId, signal: Signal) -> io::Result<bool> {
    send_signal(process.pid, signal, || process.is_alive())
}

/// Sends the signal once to every process that exists now, but not to processes that are started because of it.
fn tree(members: BTreeMap<u32, u64>, signal: Signal) -> Signalled {
    let mut processes = 0;
    let mut refused = None;
    for (pid, started) in members {
        match send_signal(pid, signal, || start_time(pid) == Some(started)) {
            Ok(was_there) => processes += usize::from(was_there),
            Err(error) => refused = refused.or(Some((pid, error))),
        }
    }
    refused.map_or(Signalled::Sent { processes }, |(pid, error)| sent(Err(error), pid))
}

fn sent(result: io::Result<usize>, pid: u32) -> Signalled {
    match result {
        Ok(processes) => Signalled::Sent { processes },
        Err(error) => Signalled::Refused { reason: whose(pid, &error) },
    }
}

fn whose(pid: u32, error: &io::Error) -> String {
    let owner = fs::metadata(format!("/proc/{pid}")).map(|process| process.uid());
    match owner {
        Ok(uid) if error.kind() == io::ErrorKind::PermissionDenied => {
            format!("process {pid} belongs to {}: only root or that user can signal it", user_name(uid))
        }
        _ => format!("process {pid}: {error}"),
    }
}

/// The result for a slot with two runs.
fn both(one: Signalled, other: Signalled) -> Signalled {
    match (one, other) {
        (refused @ Signalled::Refused { .. }, _) | (_, refused @ Signalled::Refused { .. }) => refused,
        (Signalled::Sent { processes: one }, Signalled::Sent { processes: other }) => {
            Signalled::Sent { processes: one + other }
        }
        (sent @ Signalled::Sent { .. }, Signalled::NotRunning(_)) | (Signalled::NotRunning(_), sent) => sent,
    }
}
