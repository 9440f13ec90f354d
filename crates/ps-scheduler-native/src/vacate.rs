//! Moves an app to another scheduler while it keeps its address: its native processes end, and its supervisor stays for the address
//! alone.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroU16;
use std::time::Duration;

use formation::Slot;
use ps_rollout::{Fate, Outcome, Rules, Strategy};
use ps_scheduler::{Error, Progress, Requester, Stopped};
use ps_service::{Service, backend};
use ps_supervisor::{Manner, Next, Spec};

use crate::follow::Follower;
use crate::rolling;
use crate::source_trees::SourceTrees;

/// Rolls out a revision without any process type: each run is withdrawn from the address, and ends when its connections have ended.
pub(crate) fn vacate(service: &Service, requester: &mut Requester<'_>) -> Result<Stopped, Error> {
    let Some(spec) = service.spec_in_force().filter(|spec| !spec.processes.is_empty()) else {
        return Ok(Stopped::default());
    };
    service.write_next(&without_processes(&spec))?;
    let rolled = rolling::carry_out(service, Vec::new(), requester);
    if rolled.is_err() {
        service.withdraw_next();
    }
    let (follower, report) = rolled?;
    let unwritten = report.unwritten.clone();
    let outcome = rolling::outcome(service, report)
        .ok_or_else(|| service.unreachable("it has sent no result of the rollout"))?;
    if outcome.cause.is_some() {
        let reason = unwritten.unwrap_or_else(|| outcome.sentences().join("; "));
        return Err(backend(format!("end the native processes of {}", service.app), &reason));
    }
    let stopped = stopped(&follower, outcome, requester);
    if stopped.remaining.is_empty() {
        clear(service)?;
    }
    Ok(stopped)
}

/// A spec with the same address and without processes.
fn without_processes(spec: &Spec) -> Next {
    // These rules start nothing, so their values do not matter.
    let rules = Rules {
        strategy: Strategy::Overlap,
        max_parallel: NonZeroU16::MIN,
        max_trials: None,
        is_checked: false,
        may_end: false,
        minimum_life: Duration::ZERO,
        deadline: Duration::ZERO,
    };
    let types = spec.processes.iter().map(|process| process.process_type.clone());
    let rolling: BTreeMap<String, Manner> = types.map(|name| (name, Manner { rules })).collect();
    let address = Spec::of_address(&spec.app, &spec.directory, spec.listen.clone());
    let address =
        Spec { frontend: spec.frontend.clone(), certificates: spec.certificates.clone(), ..address };
    Next { spec: Spec { revision: spec.revision + 1, ..address }, rolling, canary: None }
}

fn stopped(follower: &Follower<'_>, outcome: Outcome, requester: &mut Requester<'_>) -> Stopped {
    let mut stopped = Stopped::default();
    for (slot, fate) in &outcome.slots {
        if matches!(fate, Fate::Ended(_)) {
            follower.tell_end(slot, requester);
            stopped.ended.push((slot.clone(), None));
        }
    }
    for (run, reason) in outcome.remains {
        (requester.tell)(Progress::Note(format!("{} would not end: {reason}", run.slot)));
        stopped.remaining.push((run.slot, reason));
    }
    stopped
}

/// Removes the files of the instances, as `destroy` would.
fn clear(service: &Service) -> Result<(), Error> {
    let slots: Vec<Slot> = service.slots()?;
    for directory in slots.iter().map(|slot| service.instance(slot)) {
        fs::remove_dir_all(&directory)
            .map_err(|error| backend(format!("remove {}", directory.display()), &error))?;
    }
    SourceTrees::of(service.clone()).remove_all()
}
