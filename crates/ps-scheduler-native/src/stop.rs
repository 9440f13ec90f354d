//! Stops instances and removes apps. Processes are ended first and files are written afterwards. Ending needs no file: a
//! living supervisor knows its processes, and without one they are found by their cgroups and marks.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use formation::{Slot, State, Which};
use ps_scheduler::{Error, Instance, Progress, Requester, StopOrder, Stopped};
use ps_service::{Service, backend, moved, orphan, root};
use ps_supervisor::{Client, Next, Request, Statuses, strays};
use type_settings::Order;

use crate::follow::Follower;
use crate::status;

/// How long after the last SIGKILL everything must be gone.
const MARGIN: Duration = Duration::from_secs(5);
/// The pause between two looks while waiting.
const TURN: Duration = Duration::from_millis(50);

pub(crate) fn stop(
    service: &Service,
    order: &StopOrder,
    requester: &mut Requester<'_>,
) -> Result<Stopped, Error> {
    let before = status::instances(service)?;
    let written = if empties(service, order) {
        end(service, order.grace, requester)
    } else {
        end_some(service, order, requester)
    };
    if matches!(written, Err(Error::Cancelled)) {
        return Err(Error::Cancelled);
    }
    let mut after = status::instances(service)?;
    if service.connect().is_none() {
        // No supervisor lives that would start the instances in backoff again, so they count as stopped.
        after.retain(|instance| instance.pid.is_some() || is_at_rest(instance));
    }
    let mut result = compare(&before, &after, &order.which);
    if order.which == Which::All {
        sweep(service, order, &mut result)?;
    }
    // An app that is about to be removed needs no record of its stopped slots.
    if !order.remove {
        written?;
    }
    if order.remove && order.which == Which::All && result.remaining.is_empty() {
        service.forget()?;
    }
    Ok(result)
}

/// Whether a selected slot is to be filled, by the current revision or by the one that is being rolled out.
pub(crate) fn is_to_fill(service: &Service, which: &Which) -> bool {
    // The new revision is read first, because the commit renames its file to that of the current one.
    let next = Next::read(&service.directory).ok().map(|next| next.spec);
    let specs = next.into_iter().chain(service.spec().ok().flatten());
    specs.flat_map(|spec| spec.wanted()).any(|slot| which.includes(&slot))
}

/// Adds the order to a rollout in progress; `None`: there is no rollout, or no supervisor.
pub(crate) fn beside(
    service: &Service,
    order: &StopOrder,
    requester: &mut Requester<'_>,
) -> Result<Option<Stopped>, Error> {
    if !ps_supervisor::is_rolling(&service.directory) || service.connect().is_none() {
        return Ok(None);
    }
    stop(service, order, requester).map(Some)
}

/// How long an order may take until the last SIGKILL. A type's own grace period may be longer than that of the order.
fn longest(service: &Service, grace: Duration) -> Duration {
    let next = Next::read(&service.directory).ok().map(|next| next.spec);
    let written = service.spec().ok().flatten();
    next.iter().chain(&written).map(|spec| spec.longest_stop(grace)).fold(grace, Duration::max)
}

/// Whether no instance is left to run after the order.
fn empties(service: &Service, order: &StopOrder) -> bool {
    let is_left = |slot: &Slot| !order.which.includes(slot);
    order.which == Which::All
        || service.spec_in_force().is_some_and(|spec| !spec.wanted().iter().any(is_left))
}

/// Ends every process of an app and its supervisor. An error says what could not be recorded or asked.
pub(crate) fn end(service: &Service, grace: Duration, requester: &mut Requester<'_>) -> Result<(), Error> {
    let is_live = |instance: &Instance| !is_at_rest(instance);
    let live: Vec<Instance> = status::instances(service)?.into_iter().filter(is_live).collect();
    let noted = notes(service, &live);
    let ended = if let Some(client) = supervisor(service, !live.is_empty()) {
        ask_to_end(service, client, grace, requester)
    } else {
        end_strays(service, grace, |_| true);
        note_stopped(service, &Which::All)
    };
    // If the supervisor stays because it cannot record something, the root is not waited for.
    if let Some(root) = root::let_go(service).filter(|_| service.is_free()) {
        root.wait_for_end();
    }
    if service.is_free() {
        ps_supervisor::release_outputs(&service.directory);
    }
    let (after, now_noted) = (status::instances(service)?, notes(service, &live));
    // The main process of a missing instance has ended; its children may live on.
    let is_missing = |instance: &Instance| instance.state == State::Missing;
    let left = if after.iter().any(is_missing) { strays(&service.directory).find() } else { BTreeMap::new() };
    for instance in after {
        let is_over = is_at_rest(&instance) && !left.contains_key(&Some(instance.slot.clone()));
        if let Some(before) = live.iter().find(|before| is_over && before.slot == instance.slot) {
            // Its last exit is then that of an earlier run.
            let has_run = before.run != instance.run || !is_idle(before);
            let slot = instance.slot.clone();
            (requester.tell)(if has_run {
                Progress::Ended(instance.slot, instance.last_exit)
            } else {
                Progress::CalledOff(instance.slot)
            });
            // What came up at its end, such as a stop command that failed.
            if let Some(note) = now_noted.get(&slot).filter(|note| noted.get(&slot) != Some(*note)) {
                (requester.tell)(Progress::Note(format!("{slot}: {note}")));
            }
        }
    }
    ended
}

/// What the supervisor has noted of these instances.
fn notes(service: &Service, instances: &[Instance]) -> BTreeMap<Slot, String> {
    let statuses = Statuses::of(&service.directory);
    let note = |slot: &Slot| statuses.read(slot).ok().flatten()?.note.clone();
    instances.iter().filter_map(|instance| Some((instance.slot.clone(), note(&instance.slot)?))).collect()
}

/// Whether it has no process, and waits to get one.
fn is_idle(instance: &Instance) -> bool {
    let waits = matches!(instance.state, State::Scheduled | State::Waiting | State::Backoff);
    waits && instance.pid.is_none()
}

/// Ends processes that no supervisor keeps, in the manner of the spec if one can be read. Returns those that do not end.
fn end_strays(
    service: &Service,
    grace: Duration,
    is_meant: impl Fn(Option<&Slot>) -> bool,
) -> BTreeMap<Option<Slot>, Vec<u32>> {
    let spec = service.spec().ok().flatten();
    strays(&service.directory).end(spec.as_ref(), grace, is_meant)
}

/// A supervisor that can end the app's processes. If the app's own has died, a new one takes over, so that the last output
/// still reaches the log. `None` if there is none and none can be started.
fn supervisor(service: &Service, is_live: bool) -> Option<Client> {
    if let Some(client) = service.connect() {
        return Some(client);
    }
    let has_strays = || !strays(&service.directory).find().is_empty();
    let can_start = matches!(service.spec(), Ok(Some(_)));
    if can_start && (is_live || has_strays()) { service.supervised().ok() } else { None }
}

fn ask_to_end(
    service: &Service,
    client: Client,
    grace: Duration,
    requester: &mut Requester<'_>,
) -> Result<(), Error> {
    let deadline = Instant::now() + longest(service, grace) + MARGIN;
    let asked = Follower::begin(service, client).and_then(|mut follower| {
        for early in follower.ask(&Request::End { grace_seconds: Some(grace.as_secs()) })? {
            requester.tell_all(follower.learn(early));
        }
        follower.until_it_leaves(deadline, requester)
    });
    match asked {
        Ok(Some(reason)) => match moved(service) {
            // The supervisor has ended everything, and can never record that, because its directory was moved.
            Some(moved) => {
                drop(root::let_go(service));
                orphan::kill_moved(&moved);
                note_stopped(service, &Which::All)
            }
            None => Err(unwritten(service, &Which::All, &reason)),
        },
        Ok(None) => {
            // When nothing is left, the supervisor exits and its lock becomes free.
            service.is_left_before(deadline);
            note_stopped(service, &Which::All)
        }
        // Waiting was cancelled; the processes go on ending.
        Err(Error::Cancelled) => note_stopped(service, &Which::All).and(Err(Error::Cancelled)),
        // The supervisor does not answer. It is killed, so that it does not restart what is ended here.
        Err(_) => {
            drop(root::let_go(service));
            orphan::kill(&service.directory);
            end_strays(service, grace, |_| true);
            note_stopped(service, &Which::All)
        }
    }
}

fn end_some(service: &Service, order: &StopOrder, requester: &mut Requester<'_>) -> Result<(), Error> {
    let which = &order.which;
    let Some(client) = supervisor(service, true) else {
        end_strays(service, order.grace, |slot| slot.is_some_and(|slot| which.includes(slot)));
        if !matches!(service.spec(), Ok(Some(_))) {
            (requester.tell)(Progress::Note(format!(
                "{which} of {} has ended, but that could not be recorded, because no spec could be read: {} writes a new one",
                service.app,
                service.command(if service.world.inside_dokku() { "rebuild" } else { "start" })
            )));
        }
        return note_stopped(service, which);
    };
    let mut follower = Follower::begin(service, client)?;
    let leaving: BTreeSet<Slot> = follower.busy().into_iter().filter(|slot| which.includes(slot)).collect();
    let wanted = service.spec_in_force().map(|spec| spec.wanted()).unwrap_or_default();
    // This includes slots that only the revision in the rollout has.
    let next = Next::read(&service.directory).map(|next| next.spec.wanted()).unwrap_or_default();
    let is_rolling = !next.is_empty();
    let wanted = wanted.into_iter().chain(next).filter(|slot| which.includes(slot));
    let slots: BTreeSet<Slot> = wanted.chain(leaving.iter().cloned()).collect();
    let slots: Vec<Slot> = slots.into_iter().collect();
    let grace_seconds = Some(order.grace.as_secs());
    let early = follower.ask(&Request::Stop { slots, grace_seconds })?;
    let deadline = Instant::now() + longest(service, order.grace) + MARGIN;
    follower.wait_for(&BTreeSet::new(), &leaving, &Order::default(), early, deadline, requester)?;
    // The run that filled a slot may have had a successor beside it.
    let is_live = |instance: &Instance| which.includes(&instance.slot) && !is_at_rest(instance);
    while is_rolling && Instant::now() < deadline && status::instances(service)?.iter().any(is_live) {
        requester.cancel.check()?;
        thread::sleep(TURN);
    }
    match service.spec() {
        Ok(Some(spec)) if !spec.wanted().iter().any(|slot| which.includes(slot)) => Ok(()),
        _ => Err(unwritten(service, which, "the supervisor writes it as soon as it can")),
    }
}

/// Records that these slots were stopped, if no supervisor lives to do so.
fn note_stopped(service: &Service, which: &Which) -> Result<(), Error> {
    let Ok(Some(mut spec)) = service.spec() else { return Ok(()) };
    let stopped: Vec<Slot> = spec.wanted().into_iter().filter(|slot| which.includes(slot)).collect();
    if stopped.is_empty() {
        return Ok(());
    }
    spec.stopped.extend(stopped);
    spec.note_stopped(&service.directory).map_err(|error| unwritten(service, which, &error.to_string()))
}

fn unwritten(service: &Service, which: &Which, reason: &str) -> Error {
    let what = match which {
        Which::All => service.app.to_string(),
        part => format!("{part} of {}", service.app),
    };
    let what =
        format!("{what} has ended, but that is not recorded yet: until then a restore would start it again");
    let advice = moved(service).map_or_else(
        || "make room, or make its file system writable again if that is read-only".to_owned(),
        |moved| {
            let (from, to) = (moved.from.display(), service.directory.display());
            format!("its directory {from} was moved to {to} while it ran: stop the whole app there, or move it back")
        },
    );
    backend(what, &format!("{reason}: {advice}"))
}

/// Finds and ends processes that escaped from their instance, and a supervisor whose directory was removed.
fn sweep(service: &Service, order: &StopOrder, result: &mut Stopped) -> Result<(), Error> {
    if order.remove || service.connect().is_none() {
        orphan::end(&service.directory, order.grace + MARGIN);
    }
    let left = end_strays(service, order.grace, |_| true);
    if left.is_empty() {
        result.ended.extend(result.remaining.drain(..).map(|(slot, _)| (slot, None)));
        return Ok(());
    }
    let mut unnamed = Vec::new();
    for (slot, pids) in left {
        match slot {
            Some(slot) => {
                result.remaining.retain(|(known, _)| *known != slot);
                result.ended.retain(|(known, _)| *known != slot);
                result.remaining.push((slot, do_not_end(&pids)));
            }
            None => unnamed.extend(pids),
        }
    }
    if unnamed.is_empty() {
        return Ok(());
    }
    Err(backend(format!("end {}", service.app), &do_not_end(&unnamed)))
}

/// Why processes are still there.
fn do_not_end(pids: &[u32]) -> String {
    os_process::beyond_reach(pids.iter().copied()).unwrap_or_else(|| {
        let pids = pids.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
        format!("processes {pids} do not end")
    })
}

fn compare(before: &[Instance], after: &[Instance], which: &Which) -> Stopped {
    let mut stopped = Stopped::default();
    let mut before: Vec<&Instance> =
        before.iter().filter(|old| which.includes(&old.slot) && !is_at_rest(old)).collect();
    before.dedup_by(|one, other| one.slot == other.slot);
    for old in before {
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
