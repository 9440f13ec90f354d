//! Making a plan true. If it fails, the earlier spec is put back and made true again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use ps_apps::durable::Directory;
use ps_scheduler::{Action, DeployOutcome, Error, Plan, Progress, Slot, Watch};
use ps_supervisor::{Request, Spec};

use crate::follow::Follower;
use crate::logs;
use crate::release_task;
use crate::service::{Service, backend};
use crate::specify::specify;
use crate::status;

/// What a change may take beside the grace period.
const MARGIN: Duration = Duration::from_secs(30);

pub(crate) fn deploy(service: &Service, plan: &Plan, watch: &mut Watch<'_>) -> Result<DeployOutcome, Error> {
    watch.cancel.check()?;
    let earlier = service.spec()?;
    let before = Before::look(service)?;
    let spec = write_spec(service, plan, earlier.as_ref(), watch)?;
    if let Err(error) = change(service, plan, &spec, &before, watch) {
        roll_back(service, plan, earlier, &spec, watch)?;
        return Err(error);
    }
    Ok(outcome(plan))
}

/// How things were before anything was changed.
struct Before {
    pids: BTreeMap<Slot, u32>,
    log_marks: BTreeMap<Slot, [u64; 2]>,
}

impl Before {
    fn look(service: &Service) -> Result<Self, Error> {
        let instances = status::instances(service)?;
        let pids =
            instances.into_iter().filter_map(|instance| Some((instance.slot, instance.pid?))).collect();
        let marks = service.slots()?.into_iter().map(|slot| (slot.clone(), logs::ends(service, &slot)));
        Ok(Self { pids, log_marks: marks.collect() })
    }
}

fn write_spec(
    service: &Service,
    plan: &Plan,
    earlier: Option<&Spec>,
    watch: &mut Watch<'_>,
) -> Result<Spec, Error> {
    if plan.is_deploy {
        release_task::run(&specify(service, plan, earlier)?, watch)?;
    }
    // Two first deploys at once must not choose the same ports.
    let parent = service.parent();
    let _choosing = Directory::open(service.world.lib(), &parent)
        .map_err(|error| backend(format!("open {}", parent.display()), &error))?;
    let spec = specify(service, plan, earlier)?;
    service.write_spec(&spec)?;
    Ok(spec)
}

fn change(
    service: &Service,
    plan: &Plan,
    spec: &Spec,
    before: &Before,
    watch: &mut Watch<'_>,
) -> Result<(), Error> {
    if spec.wanted().is_empty() && service.connect().is_none() && before.pids.is_empty() {
        return Ok(());
    }
    let mut follower = Follower::begin(service, service.supervised()?)?;
    let replaced: Vec<Slot> = plan.slots(Action::Replace).cloned().collect();
    let fresh: BTreeMap<Slot, Option<u32>> = plan
        .slots(Action::Start)
        .chain(&replaced)
        .map(|slot| (slot.clone(), before.pids.get(slot).copied()))
        .collect();
    let leaving: BTreeSet<Slot> =
        plan.slots(Action::Stop).filter(|slot| follower.knows(slot)).cloned().collect();
    follower.set_log_marks(before.log_marks.clone());
    let mut early = follower.running();
    early.extend(follower.ask(&Request::Apply)?);
    if !plan.is_deploy && !replaced.is_empty() {
        early.extend(follower.ask(&Request::Restart { slots: replaced })?);
    }
    let deadline = Instant::now() + spec.grace() + MARGIN;
    follower.settle(&fresh, &leaving, early, deadline, watch)?;
    for slot in fresh.keys() {
        let checks = plan.release.process(&slot.process_type).map(|process| process.checks.as_slice());
        follower.check(slot, checks.unwrap_or_default(), watch)?;
    }
    if spec.wanted().is_empty() {
        follower.ask(&Request::End)?;
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
    let mut watch = Watch { say: &mut *watch.say, cancel: &cancel };
    let Some(earlier) = earlier else {
        crate::stop::end(service, &mut watch)?;
        return crate::stop::forget(service);
    };
    (watch.say)(Progress::Note(format!("Putting back the earlier release of {}", service.app)));
    let revision = failed.revision + u64::from(plan.is_deploy);
    service.write_spec(&Spec { revision, ..earlier })?;
    let Some(client) = service.connect() else { return Ok(()) };
    Follower::begin(service, client)?.ask(&Request::Apply).map(|_| ())
}

fn outcome(plan: &Plan) -> DeployOutcome {
    let of = |action| plan.slots(action).cloned();
    DeployOutcome {
        started: of(Action::Start).chain(of(Action::Replace)).collect(),
        stopped: of(Action::Stop).collect(),
        kept: of(Action::Keep).collect(),
    }
}
