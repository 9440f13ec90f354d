//! Carries out a plan. Runs are replaced by a rollout of the supervisor: the old runs go on until every new run has passed
//! its checks. A plan that only fills empty slots of the current release starts them directly.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use durable::Directory;
use formation::{ProcessType, Slot, State};
use ps_rollout::{Fate, Outcome};
use ps_scheduler::{
    Cancel, Change, DeployOutcome, Error, Instance, Leftover, Plan, Progress, Requester, Task,
};
use ps_service::{Service, backend};
use ps_supervisor::{Manner, Next, Request, Spec, Status};

use crate::follow::Follower;
use crate::preflight::{self, Judge};
use crate::specify::specify;
use crate::{fixed_port, rolling, status, taken_port, task};

/// How much longer than the grace period a start may take.
const MARGIN: Duration = Duration::from_secs(30);

pub(crate) fn deploy(
    service: &Service,
    plan: &Plan,
    requester: &mut Requester<'_>,
) -> Result<DeployOutcome, Error> {
    requester.cancel.check()?;
    rolling::end_interrupted(service, Leftover::PutBack, requester)?;
    let earlier = service.spec_in_force();
    let present = status::instances(service)?;
    let planned = specify(service, plan, earlier.as_ref())?;
    let starting = preflight::starting(plan, &planned, earlier.as_ref(), &present);
    let running = pids(&present);
    let acted_on = earlier.as_ref().filter(|_| service.connect().is_some());
    let judge =
        Judge { service, plan, spec: &planned, earlier: acted_on, starting: &starting, running: &running };
    judge.inputs()?;
    for odd in ps_supervisor::judge(&planned).unwrap_or_default() {
        (requester.tell)(Progress::Note(odd));
    }
    for lacking in judge.lacking_limits() {
        (requester.tell)(Progress::Note(lacking));
    }
    let done = attempt_twice(&judge, earlier.as_ref(), &present, requester);
    let again = done.as_ref().err().and_then(|error| fixed_port::plan_after(service, plan, &present, error));
    if let Some((plan, notes)) = again {
        for note in notes {
            (requester.tell)(Progress::Note(note));
        }
        return deploy(service, &plan, requester);
    }
    // A first deploy that has failed leaves no files behind.
    if done.is_err() && earlier.is_none() && running.is_empty() {
        let cancel = Cancel::default();
        let mut requester = Requester { tell: &mut *requester.tell, cancel: &cancel, lock: requester.lock };
        crate::stop::end(service, planned.longest_grace(), &mut requester)?;
        service.forget()?;
    }
    done
}

/// Runs a task of a deploy, before or after the plan is carried out.
pub(crate) fn run_task(
    service: &Service,
    plan: &Plan,
    task: &Task,
    requester: &mut Requester<'_>,
) -> Result<(), Error> {
    let earlier = service.spec_in_force();
    let spec = specify(service, plan, earlier.as_ref())?;
    service.make()?;
    let ran = task::run(service, &spec, (&plan.release, task), requester);
    // A first deploy that has failed leaves no files behind.
    if ran.is_err() && earlier.is_none() && status::instances(service)?.is_empty() {
        service.forget()?;
    }
    ran
}

/// Refuses what [`deploy`] would refuse because of the current state of the service directory.
pub(crate) fn judge(service: &Service, plan: &Plan) -> Result<(), Error> {
    let (earlier, present) = (service.spec_in_force(), status::instances(service)?);
    let planned = specify(service, plan, earlier.as_ref())?;
    let starting = preflight::starting(plan, &planned, earlier.as_ref(), &present);
    let acted_on = earlier.as_ref().filter(|_| service.connect().is_some());
    let running = pids(&present);
    Judge { service, plan, spec: &planned, earlier: acted_on, starting: &starting, running: &running }
        .inputs()
}

/// Runs the tasks of a plan, and carries it out. If the only failures were ports that other programs took before the instances listened
/// there, the plan is carried out a second time.
fn attempt_twice(
    judge: &Judge<'_>,
    earlier: Option<&Spec>,
    present: &[Instance],
    requester: &mut Requester<'_>,
) -> Result<DeployOutcome, Error> {
    let (service, plan) = (judge.service, judge.plan);
    service.make()?;
    for task in &plan.tasks {
        task::run(service, judge.spec, (&plan.release, task), requester)?;
    }
    judge.programs()?;
    let mut dead = Vec::new();
    let done = carry_out(judge, earlier, present, requester, &mut dead);
    let taken = done.as_ref().err().and_then(|error| taken_port::notes(judge.spec, error, &dead));
    let Some(notes) = taken else { return done };
    requester.tell_all(notes.into_iter().map(Progress::Note));
    carry_out(judge, earlier, present, requester, &mut dead)
}

/// Carries out a plan whose tasks have run. `dead` gets the last statuses of the runs that failed.
fn carry_out(
    judge: &Judge<'_>,
    earlier: Option<&Spec>,
    present: &[Instance],
    requester: &mut Requester<'_>,
    dead: &mut Vec<Status>,
) -> Result<DeployOutcome, Error> {
    let (service, plan) = (judge.service, judge.plan);
    // Locked so that two first deploys at the same time do not choose the same ports.
    let parent = service.parent();
    let choosing = Directory::open(service.world.lib(), &parent)
        .map_err(|error| backend(format!("open {}", parent.display()), &error))?;
    let base_port = specify(service, plan, earlier)?.base_port;
    let spec = Spec { base_port, ..judge.spec.clone() };
    let runs_nothing = spec.wanted().is_empty() && judge.running.is_empty() && service.connect().is_none();
    if runs_nothing || only_fills(judge, earlier) {
        service.write_spec(&spec)?;
        drop(choosing);
        if !runs_nothing {
            fill(judge, &spec, present, requester, dead)?;
        }
        return Ok(outcome(plan));
    }
    if earlier.is_none() {
        service.write_spec(&nothing_new(&spec, service.last_revision(), present))?;
    }
    service.write_next(&next(plan, spec))?;
    drop(choosing);
    roll(judge, requester, dead)
}

/// Whether a plan only fills empty slots of the current release, as `start` and `restore` do. Then the failure of one instance undoes
/// nothing: a worker that cannot reach its database must not keep the app's web processes down.
fn only_fills(judge: &Judge<'_>, earlier: Option<&Spec>) -> bool {
    let plan = judge.plan;
    // The revision changes with commands and directory, but not with counts.
    let is_there = |earlier: &Spec| earlier.revision == judge.spec.revision;
    plan.only_fills() && earlier.is_some_and(is_there)
}

/// The spec that is in force while the first revision is rolled out, or after the earlier spec was lost: running instances are kept, and
/// none is started. It records no release as deployed.
fn nothing_new(spec: &Spec, revision: u64, present: &[Instance]) -> Spec {
    let runs = |slot: &Slot| present.iter().any(|instance| instance.slot == *slot && instance.pid.is_some());
    let idle = spec.wanted().into_iter().filter(|slot| !runs(slot));
    let stopped: BTreeSet<Slot> = spec.stopped.iter().cloned().chain(idle).collect();
    Spec { revision, deploy: None, stopped: stopped.into_iter().collect(), ..spec.clone() }
}

/// The revision to submit: the spec, and how each type is rolled out.
fn next(plan: &Plan, spec: Spec) -> Next {
    let manner = |(process_type, rules): (&ProcessType, &ps_rollout::Rules)| {
        (process_type.to_string(), Manner { rules: *rules })
    };
    Next { spec, rolling: plan.rules.iter().map(manner).collect(), canary: plan.canary }
}

fn roll(
    judge: &Judge<'_>,
    requester: &mut Requester<'_>,
    dead: &mut Vec<Status>,
) -> Result<DeployOutcome, Error> {
    let service = judge.service;
    let rolled = rolling::carry_out(service, judge.starting.to_vec(), requester);
    if rolled.is_err() {
        service.withdraw_next();
    }
    let (mut follower, report) = rolled?;
    let unwritten = report.unwritten.clone();
    dead.extend(report.failed.iter().cloned());
    let outcome = rolling::outcome(service, report)
        .ok_or_else(|| service.unreachable("it has sent no result of the rollout"))?;
    if outcome.cause.is_none() {
        tell(&follower, &outcome, requester);
        // A rollout starts no run of a type with a schedule.
        let is_scheduled = |slot: &&Slot| judge.spec.is_scheduled(&slot.process_type);
        let slots: Vec<Slot> = judge.plan.slots(Change::Start).filter(is_scheduled).cloned().collect();
        if !slots.is_empty() {
            follower.ask(&Request::Start { slots })?;
        }
    }
    if service.spec_in_force().is_some_and(|spec| spec.wanted().is_empty()) {
        follower.ask(&Request::End { grace_seconds: None })?;
    }
    let done = ps_scheduler::conclude(&service.app, outcome, requester);
    match (done, unwritten) {
        // The rollout was undone because it could not be recorded on the disk, and not because somebody cancelled it.
        (Err(Error::Cancelled), Some(reason)) => Err(backend(format!("deploy {}", service.app), &reason)),
        (done, _) => done,
    }
}

fn tell(follower: &Follower<'_>, outcome: &Outcome, requester: &mut Requester<'_>) {
    for (slot, fate) in &outcome.slots {
        match fate {
            Fate::Started(_) | Fate::Replaced { .. } => follower.announce(slot, requester),
            Fate::Ended(_) => follower.tell_end(slot, requester),
            Fate::Kept(_) | Fate::Empty | Fate::Restarted { .. } | Fate::Lost | Fate::Stopped => (),
        }
    }
}

/// Starts the missing instances, and waits until they are up.
fn fill(
    judge: &Judge<'_>,
    spec: &Spec,
    present: &[Instance],
    requester: &mut Requester<'_>,
    dead: &mut Vec<Status>,
) -> Result<(), Error> {
    let (service, plan) = (judge.service, judge.plan);
    let mut follower = Follower::begin(service, service.supervised()?)?;
    let mut early = follower.running();
    let run = |slot: &Slot| present.iter().find(|instance| instance.slot == *slot)?.run;
    early.extend(follower.fill(plan.slots(Change::Start).cloned().collect(), run)?);
    // An instance that has come up since the plan was made is left alone. One that is being stopped has to end first, and then to come
    // up.
    let is_up = |instance: &Instance| instance.pid.is_some() && instance.state != State::Stopping;
    let fills = |slot: &Slot| present.iter().any(|instance| instance.slot == *slot && is_up(instance));
    // If an instance died while it had no supervisor, its restart policy decides: the new supervisor starts it again after its delay,
    // perhaps of a minute, and an order to start does not shorten that delay.
    let waits = |slot: &Slot| follower.is_in_backoff_since(slot, run(slot));
    let missing = judge.starting.iter().filter(|slot| !fills(slot) && !waits(slot));
    let fresh: BTreeSet<Slot> = missing.cloned().collect();
    let order = spec.order();
    let deadline = Instant::now()
        + spec.longest_stop(plan.release.stop_timeout)
        + MARGIN
        + coming_up(plan, spec, &fresh);
    let filled = follower.wait_for(&fresh, &BTreeSet::new(), &order, early, deadline, requester);
    if filled.is_ok() {
        for slot in &fresh {
            follower.announce(slot, requester);
        }
    }
    if filled.is_err() {
        dead.extend(fresh.iter().filter_map(|slot| follower.known(slot).cloned()));
    }
    if matches!(filled, Err(Error::DeployFailed { .. })) && follower.has_up(fresh.iter()) {
        (requester.tell)(Progress::Note("What came up runs on".to_owned()));
    }
    filled
}

/// How long these slots may take to come up. Types that wait for each other come up one after the other.
fn coming_up(plan: &Plan, spec: &Spec, fresh: &BTreeSet<Slot>) -> Duration {
    let of_slot = |slot: &Slot| spec.process(&slot.process_type)?.health.as_ref()?.deadline;
    if spec.order().is_empty() {
        return fresh.iter().filter_map(of_slot).max().unwrap_or_default();
    }
    let types: BTreeSet<&ProcessType> = fresh.iter().map(|slot| &slot.process_type).collect();
    types.into_iter().filter_map(|process_type| Some(plan.rules.get(process_type)?.deadline)).sum()
}

/// The pid of the run that fills each slot.
pub(crate) fn pids(instances: &[Instance]) -> BTreeMap<Slot, u32> {
    let pid = |instance: &Instance| Some((instance.slot.clone(), instance.pid?));
    // If a slot has two runs, the one that fills it comes first. In reverse order it is collected last, and so overwrites the other.
    instances.iter().rev().filter_map(pid).collect()
}

fn outcome(plan: &Plan) -> DeployOutcome {
    let of = |change| plan.slots(change).cloned();
    DeployOutcome {
        started: of(Change::Start).collect(),
        stopped: of(Change::Stop).collect(),
        kept: of(Change::Keep).collect(),
        ..DeployOutcome::default()
    }
}
