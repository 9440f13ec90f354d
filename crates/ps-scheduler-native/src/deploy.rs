//! Making a plan true. If it fails, the earlier spec is put back and made true again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use durable::Directory;
use formation::Slot;
use ps_scheduler::{Change, DeployOutcome, Error, Instance, Plan, Progress, Watch};
use ps_supervisor::{Request, Spec};

use crate::follow::Follower;
use crate::preflight::{self, Judge};
use crate::release_task;
use crate::service::{Service, backend};
use crate::specify::specify;
use crate::status;

/// What a change may take beside the grace period.
const MARGIN: Duration = Duration::from_secs(30);

pub(crate) fn deploy(service: &Service, plan: &Plan, watch: &mut Watch<'_>) -> Result<DeployOutcome, Error> {
    watch.cancel.check()?;
    let earlier = service.spec_in_force();
    let present = status::instances(service)?;
    let before = pids(&present);
    let planned = specify(service, plan, earlier.as_ref())?;
    let starting = preflight::starting(plan, &planned, earlier.as_ref());
    let judge = Judge { service, plan, spec: &planned, starting: &starting, running: &before };
    judge.inputs()?;
    for odd in ps_supervisor::judge(&planned).unwrap_or_default() {
        (watch.say)(Progress::Note(odd));
    }
    let prepared = prepare(&judge, earlier.as_ref(), watch);
    if prepared.is_err() && earlier.is_none() {
        crate::stop::forget(service)?;
    }
    let spec = prepared?;
    let fresh: BTreeMap<Slot, Option<u32>> =
        starting.iter().map(|slot| (slot.clone(), before.get(slot).copied())).collect();
    if let Err(error) = change(service, plan, &spec, &fresh, watch) {
        if only_fills(plan, earlier.as_ref(), &spec) && matches!(error, Error::DeployFailed { .. }) {
            (watch.say)(Progress::Note("What came up runs on".to_owned()));
            return Err(error);
        }
        let earlier = earlier.map(|earlier| without_what_is_over(earlier, plan, &present));
        let undone = roll_back(service, plan, earlier, &spec, watch);
        return Err(match undone {
            Ok(()) => error,
            Err(second) => also(error, &second),
        });
    }
    Ok(outcome(plan))
}

/// Whether a plan fills places of the release that is there already, as `start` and `restore` do. Then nothing is put back
/// when one instance fails: a worker that cannot reach its database must not keep the app's web processes down.
fn only_fills(plan: &Plan, earlier: Option<&Spec>, spec: &Spec) -> bool {
    !plan.is_deploy && earlier.is_some_and(|earlier| earlier.processes == spec.processes)
}

/// The pid of each instance that runs.
fn pids(instances: &[Instance]) -> BTreeMap<Slot, u32> {
    instances.iter().filter_map(|instance| Some((instance.slot.clone(), instance.pid?))).collect()
}

/// The earlier spec as it is put back after a failed deploy: what had finished or was given up in it counts as stopped. To
/// the supervisor it is a new release, which would run all of it again.
fn without_what_is_over(earlier: Spec, plan: &Plan, present: &[Instance]) -> Spec {
    let is_over = |instance: &&Instance| plan.is_deploy && instance.over.is_some();
    let over = present.iter().filter(is_over).map(|instance| instance.slot.clone());
    let stopped: BTreeSet<Slot> = earlier.stopped.into_iter().chain(over).collect();
    Spec { stopped: stopped.into_iter().collect(), ..earlier }
}

/// Runs the `release` process of a deploy, judges what it may have made, and writes the spec: nothing that runs is touched.
fn prepare(judge: &Judge<'_>, earlier: Option<&Spec>, watch: &mut Watch<'_>) -> Result<Spec, Error> {
    let service = judge.service;
    service.make()?;
    if judge.plan.is_deploy {
        release_task::run(service, judge.spec, watch)?;
    }
    judge.programs()?;
    // Two first deploys at once must not choose the same ports.
    let parent = service.parent();
    let _choosing = Directory::open(service.world.lib(), &parent)
        .map_err(|error| backend(format!("open {}", parent.display()), &error))?;
    let base_port = specify(service, judge.plan, earlier)?.base_port;
    let spec = Spec { base_port, ..judge.spec.clone() };
    service.write_spec(&spec)?;
    Ok(spec)
}

fn change(
    service: &Service,
    plan: &Plan,
    spec: &Spec,
    fresh: &BTreeMap<Slot, Option<u32>>,
    watch: &mut Watch<'_>,
) -> Result<(), Error> {
    if spec.wanted().is_empty()
        && service.connect().is_none()
        && pids(&status::instances(service)?).is_empty()
    {
        return Ok(());
    }
    let mut follower = Follower::begin(service, service.supervised()?)?;
    let replaced: Vec<Slot> = plan.slots(Change::Replace).cloned().collect();
    let leaving: BTreeSet<Slot> =
        plan.slots(Change::Stop).filter(|slot| follower.knows(slot)).cloned().collect();
    let mut early = follower.running();
    early.extend(follower.ask(&Request::Apply)?);
    if !plan.is_deploy {
        // The spec alone wakes nothing that is over.
        let slots: Vec<Slot> = plan.slots(Change::Start).cloned().collect();
        if !slots.is_empty() {
            early.extend(follower.ask_if_known(&Request::Start { slots })?);
        }
        if !replaced.is_empty() {
            early.extend(follower.ask(&Request::Restart { slots: replaced })?);
        }
    }
    let deadline = Instant::now() + spec.grace() + MARGIN;
    follower.settle(fresh, &leaving, early, deadline, watch)?;
    for slot in fresh.keys() {
        let checks = plan.release.process(&slot.process_type).map(|process| process.checks.as_slice());
        follower.check(slot, checks.unwrap_or_default(), watch)?;
        follower.announce(slot, watch);
    }
    if spec.wanted().is_empty() {
        follower.ask(&Request::End { grace_seconds: None })?;
    }
    Ok(())
}

/// Puts back what was there: nothing, or the earlier spec as a newer revision.
fn roll_back(
    service: &Service,
    plan: &Plan,
    earlier: Option<Spec>,
    failed: &Spec,
    watch: &mut Watch<'_>,
) -> Result<(), Error> {
    // The failure is already on its way to the user: even an interrupted deploy is undone to the end.
    let cancel = ps_scheduler::Cancel::default();
    let mut watch = Watch { say: &mut *watch.say, cancel: &cancel, lock: watch.lock };
    let Some(earlier) = earlier else {
        crate::stop::end(service, failed.grace(), &mut watch)?;
        return crate::stop::forget(service);
    };
    (watch.say)(Progress::Note(format!("Putting back the earlier release of {}", service.app)));
    let spec = Spec { revision: failed.revision + u64::from(plan.is_deploy), ..earlier };
    service.write_spec(&spec)?;
    if spec.wanted().is_empty() {
        return crate::stop::end(service, failed.grace(), &mut watch);
    }
    let Some(client) = service.connect() else { return Ok(()) };
    let mut follower = Follower::begin(service, client)?;
    let early = follower.ask(&Request::Apply)?;
    let failed_ones: BTreeMap<Slot, Option<u32>> =
        plan.slots(Change::Replace).map(|slot| (slot.clone(), None)).collect();
    let deadline = Instant::now() + spec.grace() + MARGIN;
    if !plan.is_deploy {
        return Ok(());
    }
    follower.settle(&failed_ones, &BTreeSet::new(), early, deadline, &mut watch)?;
    for slot in failed_ones.keys() {
        follower.announce(slot, &mut watch);
    }
    Ok(())
}

/// A failure after which not even what was there before could be put back.
fn also(error: Error, second: &Error) -> Error {
    match error {
        Error::DeployFailed { app, failed, fates, mut aftermath } => {
            aftermath.push(format!("and the earlier release could not be put back: {second}"));
            Error::DeployFailed { app, failed, fates, aftermath }
        }
        other => other,
    }
}

fn outcome(plan: &Plan) -> DeployOutcome {
    let of = |change| plan.slots(change).cloned();
    DeployOutcome {
        started: of(Change::Start).chain(of(Change::Replace)).collect(),
        stopped: of(Change::Stop).collect(),
        kept: of(Change::Keep).collect(),
        ..DeployOutcome::default()
    }
}
