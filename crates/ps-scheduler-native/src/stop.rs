//! Stopping instances, truthfully, and forgetting them.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::time::{Duration, Instant};

use ps_scheduler::{Error, Instance, Progress, Slot, State, StopOrder, Stopped, Watch, Which};
use ps_supervisor::{Request, Spec};

use crate::follow::Follower;
use crate::service::{Service, backend};
use crate::status;

/// From the last SIGKILL until everything must be gone.
const MARGIN: Duration = Duration::from_secs(5);

pub(crate) fn stop(service: &Service, order: &StopOrder, watch: &mut Watch<'_>) -> Result<Stopped, Error> {
    let Some(mut spec) = service.spec()? else {
        return Ok(Stopped::default());
    };
    let before = status::instances(service)?;
    spec.stop_timeout_seconds = order.grace.as_secs();
    let meant = spec.wanted().into_iter().filter(|slot| order.which.includes(slot));
    let mut stopped: BTreeSet<Slot> = meant.chain(spec.stopped.iter().cloned()).collect();
    spec.stopped.retain(|slot| stopped.remove(slot));
    spec.stopped.extend(stopped);
    let written = service.write_spec(&spec);
    if !order.remove {
        // What is to be forgotten is ended even where nothing can be written any more.
        written?;
    }
    if spec.wanted().is_empty() {
        end(service, watch)?;
    } else {
        end_some(service, &spec, &order.which, watch)?;
    }
    let result = compare(&before, &status::instances(service)?, &order.which);
    if order.remove && order.which == Which::All && result.remaining.is_empty() {
        forget(service)?;
    }
    Ok(result)
}

/// Ends every process of an app, and its supervisor.
pub(crate) fn end(service: &Service, watch: &mut Watch<'_>) -> Result<(), Error> {
    let live: Vec<Instance> =
        status::instances(service)?.into_iter().filter(|instance| !is_at_rest(instance)).collect();
    let client = match service.connect() {
        Some(client) => client,
        // Its supervisor died: a new one adopts what runs, and then ends it.
        None if live.iter().any(|instance| instance.pid.is_some()) => service.supervised()?,
        None => return Ok(()),
    };
    let grace = service.spec()?.map_or(Duration::ZERO, |spec| spec.grace());
    let mut follower = Follower::begin(service, client)?;
    follower.ask(&Request::End)?;
    drop(follower);
    // Once nothing is left the supervisor leaves, and its lock is free.
    service.is_left_before(Instant::now() + grace + MARGIN, watch.cancel)?;
    for instance in status::instances(service)? {
        if is_at_rest(&instance) && live.iter().any(|before| before.slot == instance.slot) {
            (watch.say)(Progress::Ended(instance.slot, instance.last_exit));
        }
    }
    Ok(())
}

fn end_some(service: &Service, spec: &Spec, which: &Which, watch: &mut Watch<'_>) -> Result<(), Error> {
    let leaving: BTreeSet<Slot> = status::instances(service)?
        .into_iter()
        .filter(|instance| which.includes(&instance.slot) && !is_at_rest(instance))
        .map(|instance| instance.slot)
        .collect();
    if leaving.is_empty() {
        return Ok(());
    }
    let mut follower = Follower::begin(service, service.supervised()?)?;
    let early = follower.ask(&Request::Apply)?;
    let deadline = Instant::now() + spec.grace() + MARGIN;
    follower.settle(&std::collections::BTreeMap::new(), &leaving, early, deadline, watch)
}

fn compare(before: &[Instance], after: &[Instance], which: &Which) -> Stopped {
    let mut stopped = Stopped::default();
    for old in before.iter().filter(|old| which.includes(&old.slot) && !is_at_rest(old)) {
        match after.iter().find(|new| new.slot == old.slot) {
            Some(new) if !is_at_rest(new) => {
                let why = format!("still {} after its grace period", new.state.as_str());
                stopped.remaining.push((old.slot.clone(), why));
            }
            new => stopped.ended.push((old.slot.clone(), new.and_then(|new| new.last_exit))),
        }
    }
    stopped
}

fn is_at_rest(instance: &Instance) -> bool {
    matches!(instance.state, State::Stopped | State::Crashed | State::Missing)
}

/// Removes the service directory: as if the app had never been deployed here.
pub(crate) fn forget(service: &Service) -> Result<(), Error> {
    ps_supervisor::remove_empty_groups(&service.directory);
    match fs::remove_dir_all(&service.directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(backend(format!("remove {}", service.directory.display()), &error))
        }
        _ => Ok(()),
    }
}
