//! Starts instances without waiting until they have passed their checks, for callers whose users watch the start themselves. If an instance
//! dies, its restart policy decides.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use formation::{Slot, State};
use ps_scheduler::{Change, Error, Leftover, Plan, Requester};
use ps_service::Service;
use ps_supervisor::{Request, Status};

use crate::deploy::pids;
use crate::follow::{Follower, is_begun};
use crate::preflight::{self, Judge};
use crate::specify::specify;
use crate::{rolling, status};

/// How long a slot may take until its first process exists: its files are made, and its user and limits are set.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(2);

/// Carries out a plan that replaces nothing. Returns once each slot that it starts has had a process or could not get one.
pub(crate) fn begin(service: &Service, plan: &Plan, requester: &mut Requester<'_>) -> Result<(), Error> {
    rolling::end_interrupted(service, Leftover::PutBack, requester)?;
    let (earlier, present) = (service.spec_in_force(), status::instances(service)?);
    let spec = specify(service, plan, earlier.as_ref())?;
    let starting = preflight::starting(plan, &spec, earlier.as_ref(), &present);
    let running = pids(&present);
    let acted_on = earlier.as_ref().filter(|_| service.connect().is_some());
    Judge { service, plan, spec: &spec, earlier: acted_on, starting: &starting, running: &running }
        .inputs()?;
    service.make()?;
    service.write_spec(&spec)?;
    let slots: BTreeSet<Slot> = plan.slots(Change::Start).cloned().collect();
    if slots.is_empty() && service.connect().is_none() {
        return Ok(());
    }
    let before = runs(service, &slots);
    let mut follower = Follower::begin(service, service.supervised()?)?;
    let told = follower.fill(slots.iter().cloned().collect(), |slot| before.get(slot).copied().flatten())?;
    for message in told {
        follower.learn(message);
    }
    await_runs(&mut follower, before, PATIENCE);
    Ok(())
}

/// Ends the runs of these slots and starts a new run in each, all at once, from the current revision. Returns once the new runs have started.
pub(crate) fn replace(service: &Service, slots: &BTreeSet<Slot>) -> Result<(), Error> {
    let patience = service.spec_in_force().map_or(PATIENCE, |spec| spec.longest_grace() + PATIENCE);
    let before = runs(service, slots);
    let mut follower = Follower::begin(service, service.supervised()?)?;
    order(&mut follower, &Request::Restart { slots: slots.iter().cloned().collect() })?;
    await_runs(&mut follower, before, patience);
    Ok(())
}

/// The run that fills each slot, or filled it last; `None` for a slot that never had one.
fn runs(service: &Service, slots: &BTreeSet<Slot>) -> BTreeMap<Slot, Option<u64>> {
    let statuses = ps_supervisor::Statuses::of(&service.directory);
    let run = |slot: &Slot| Some(statuses.read(slot).ok()??.run);
    slots.iter().map(|slot| (slot.clone(), run(slot))).collect()
}

fn order(follower: &mut Follower<'_>, request: &Request) -> Result<(), Error> {
    for message in follower.ask(request)? {
        follower.learn(message);
    }
    Ok(())
}

/// Waits until each slot has another run than in `before`. The supervisor reports that; if it dies, the files of its successor show it.
fn await_runs(follower: &mut Follower<'_>, mut before: BTreeMap<Slot, Option<u64>>, patience: Duration) {
    let deadline = Instant::now() + patience;
    let mut is_told = true;
    loop {
        if is_told {
            before.retain(|slot, run| !follower.known(slot).is_some_and(|now| has_begun(now, *run)));
        } else {
            let written = ps_supervisor::Statuses::of(&follower.service.directory);
            let now = |slot: &Slot| written.read(slot).ok().flatten();
            before.retain(|slot, run| !now(slot).is_some_and(|now| has_begun(&now, *run)));
        }
        if before.is_empty() || Instant::now() >= deadline {
            return;
        }
        is_told = is_told && follower.listen(deadline).is_ok();
        if !is_told {
            thread::sleep(LOOK);
        }
    }
}

fn has_begun(status: &Status, before: Option<u64>) -> bool {
    Some(status.run) != before && is_begun(status) || is_hopeless(status)
}

/// Whether the instance waits for something else than its own start.
fn is_hopeless(status: &Status) -> bool {
    matches!(status.state, State::Waiting | State::Scheduled | State::Crashed)
}
