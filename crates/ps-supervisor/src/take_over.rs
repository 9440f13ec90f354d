//! What a new seat begins with: the runs that an earlier supervisor left in it, and what that wrote down about them. A process is
//! adopted only if pid, start time and boot all match; what is over stays over. What a supervisor of before started, which
//! knew no runs, is run 0.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use formation::{Exit, Slot, State};
use os_process::{ProcessId, boot_id, since_boot};
use ps_rollout::Role;

use crate::layout;
use crate::means::Means;
use crate::output::Output;
use crate::outputs::Outputs;
use crate::process::Process;
use crate::restart::{Death, Deaths, is_job};
use crate::run::{Cause, Run, Terms};
use crate::seat_table::{Beside, Held, Then, Verdict};
use crate::state::Place;
use crate::status::{self, Status};

/// What was found in a seat.
pub(crate) struct Found {
    pub(crate) held: Held,
    pub(crate) side: Beside,
    pub(crate) current: Run,
    pub(crate) beside: Option<Box<Run>>,
    pub(crate) place: Place,
}

/// How the seat of a slot begins, in the slot's directory. `alive` are the numbers of runs that left a group behind; `pipe` is
/// where its output leads, if that is neither a FIFO nor a log.
pub(crate) fn find(
    slot: &Slot,
    directory: &Path,
    alive: &BTreeSet<u64>,
    pipe: Option<Output>,
    means: &mut Means,
) -> Found {
    let file = Status::read(directory).ok().flatten();
    let (kept, place) = means.state.take_left(slot).unzip();
    let is_kept = kept.is_some();
    // A full disk may have kept the file from being written.
    let earlier = kept.or_else(|| file.clone());
    let written = earlier.as_ref().map(|status| status.run);
    let numbers = layout::numbers(directory).into_iter().chain(alive.iter().copied().filter(|n| *n > 0));
    // Of the one that fills the slot its status says as much as its own file.
    let read = |number| if written == Some(number) { None } else { Status::read_run(directory, number) };
    let mut runs: BTreeMap<u64, Option<Status>> = numbers.map(|number| (number, read(number))).collect();
    let number = current(written.unwrap_or(0), &runs);
    means.numbers.pass(runs.keys().copied().max().unwrap_or(0).max(number));
    let own = runs.remove(&number).flatten();
    let status = earlier.clone().or(own).unwrap_or_else(|| Status::nothing(slot, status::now()));
    let status = numbered(status, slot, number);
    let outputs = Outputs::new(directory, number, status.log, means.descriptors).connected(pipe);
    let is_new = !directory.exists() && alive.is_empty();
    let (held, mut current) = begin(status, outputs, is_new, means);
    if is_kept && file == earlier && earlier.as_ref() == Some(&current.status) {
        current.is_as_written();
    }
    let (side, beside) = others(slot, directory, runs, means);
    Found { held, side, current, beside, place: place.unwrap_or_default() }
}

/// Which of the runs fills the slot: what its status says; or, if that one's directory is gone, the newest that was not started
/// beside it. The directory of a run becomes its successor's before the status of that is written.
fn current(written: u64, runs: &BTreeMap<u64, Option<Status>>) -> u64 {
    let fills = |run: &Option<Status>| run.as_ref().is_none_or(|run| run.role == Some(Role::Current));
    let newest = runs.iter().rev().find(|(_, run)| fills(run)).map(|(number, _)| *number);
    newest.filter(|newest| *newest > written && !runs.contains_key(&written)).unwrap_or(written)
}

fn numbered(status: Status, slot: &Slot, number: u64) -> Status {
    let log = if status.run == 0 && number > 0 { number } else { status.log };
    Status {
        format: status::FORMAT,
        slot: slot.clone(),
        run: number,
        log,
        role: Some(Role::Current),
        ..status
    }
}

/// The run that fills the slot, or filled it last.
fn begin(status: Status, outputs: Outputs, is_new: bool, means: &mut Means) -> (Held, Run) {
    let tree = means.tree(&status.slot, status.run, is_new);
    let recorded = status.process.as_ref().and_then(Process::adopt);
    if let Some(process) = recorded {
        return (Held::Filled, Run::adopted(process, Run::without_life(status, tree, outputs)));
    }
    // Its supervisor may have died between starting it and writing that down; then it may not even have joined its
    // group yet, which looks empty.
    let found = tree.may_hold_strays().then(|| tree.find_main(&mut means.census)).flatten();
    let found = found.and_then(ProcessId::of);
    let is_empty = !tree.may_hold_strays() || (found.is_none() && tree.is_empty(None, &mut means.census));
    if let Some((id, process)) = found.and_then(|id| Some((id.clone(), Process::adopt(&id)?))) {
        let revision = means.spec.revision;
        let status = Status { process: Some(id), revision, reason: None, ..status };
        return (Held::Filled, Run::adopted(process, Run::without_life(status, tree, outputs)));
    }
    let (held, status) = vacant(status, &outputs.directory(), means);
    let run = Run::without_life(status, tree, outputs);
    match held {
        _ if is_empty => (held, run),
        Held::Done => (Held::Emptying(Then::Done), Run::being_cleared(run, Cause::ByItself(Verdict::Rest))),
        Held::Crashed => {
            (Held::Emptying(Then::Crashed), Run::being_cleared(run, Cause::ByItself(Verdict::GiveUp)))
        }
        Held::Backoff => {
            (Held::Emptying(Then::Backoff), Run::being_cleared(run, Cause::ByItself(Verdict::Again)))
        }
        Held::Off | Held::Filled | Held::Emptying(_) | Held::Broken => {
            (Held::Emptying(Then::Off), Run::being_cleared(run, Cause::Asked))
        }
    }
}

/// The seat of a run that has no process any more.
fn vacant(earlier: Status, directory: &Path, means: &Means) -> (Held, Status) {
    // Somebody may have seen how it ended, and died before that was written into the status.
    let ended = earlier.process.clone().filter(|_| earlier.state != State::Stopping);
    let reaped = earlier.process.as_ref().and_then(Process::exit_of_child);
    let exit = reaped.or_else(|| status::read_exit(directory)).filter(|_| ended.is_some());
    let is_unseen = ended.is_some() && exit.is_none();
    let mut deaths = earlier.deaths.clone().carried_on(boot_id());
    let verdict = ended.as_ref().map(|process| {
        let terms = Terms::of(&means.spec, &earlier.slot.process_type);
        // `job` is in no status of an earlier version of this program, but the policy says enough.
        let is_job = earlier.job || is_job(terms.rules().policy, false);
        let verdict = deaths.judge(&unseen(process, exit, is_job), terms.rules());
        if process.boot_id != boot_id() {
            // The machine went down with it, which is nothing that it did.
            deaths = Deaths::default();
            return if verdict == Verdict::Rest { verdict } else { Verdict::Again };
        }
        if verdict == Verdict::Again {
            let delay = deaths.delay(terms.rules().settings, 0);
            deaths.wait_until((!delay.is_zero()).then(|| since_boot() + delay));
        }
        verdict
    });
    let held = match earlier.state {
        State::Crashed => Held::Crashed,
        _ if earlier.done || verdict == Some(Verdict::Rest) => Held::Done,
        _ if verdict == Some(Verdict::GiveUp) => Held::Crashed,
        _ if deaths.waits(since_boot()).is_some() => Held::Backoff,
        _ => Held::Off,
    };
    let last_exit = exit.or(earlier.last_exit.filter(|_| !is_unseen));
    let since = if ended.is_some() { status::now() } else { earlier.since };
    // It is started again because of how it ended, whoever does that.
    let restarts =
        earlier.restarts + u32::from(exit.is_some() && verdict == Some(Verdict::Again) && held == Held::Off);
    (held, Status { process: None, last_exit, since, restarts, deaths, ..earlier })
}

/// The death of a process while no supervisor lived: it has lived no longer than until now.
fn unseen(process: &ProcessId, exit: Option<Exit>, is_job: bool) -> Death {
    Death { lifetime: process.age(), at: since_boot(), exit, is_job, has_failed: false }
}

/// The run beside, if one lives. What is left of others is cleared away: of them nothing lives, or nobody knows why it does.
fn others(
    slot: &Slot,
    directory: &Path,
    runs: BTreeMap<u64, Option<Status>>,
    means: &mut Means,
) -> (Beside, Option<Box<Run>>) {
    let mut beside = None;
    for (number, status) in runs.into_iter().rev() {
        let status = status.unwrap_or_else(|| Status::nothing(slot, status::now()));
        let role = status.role.filter(|role| *role == Role::Leaving).or(Some(Role::Incoming));
        let status = Status { role, slot: slot.clone(), run: number, ..status };
        let process = status.process.as_ref().and_then(Process::adopt);
        let tree = means.tree(slot, number, false);
        let is_empty = process.is_none() && tree.is_empty(None, &mut means.census);
        let outputs = Outputs::new(directory, number, status.log, means.descriptors);
        let found = process.is_none().then(|| tree.find_main(&mut means.census)).flatten();
        let found = found.and_then(ProcessId::of).and_then(|id| Process::adopt(&id));
        let mut run = Run::without_life(status, tree, outputs);
        if is_empty && found.is_none() {
            run.clear_away(means);
        } else if beside.is_some() {
            run.tree().kill(None, &mut means.census);
        } else {
            beside = Some(Box::new(match process.or(found) {
                Some(process) => Run::adopted(process, run),
                None => Run::being_cleared(run, Cause::ByItself(Verdict::GiveUp)),
            }));
        }
    }
    let side = match &beside {
        None => Beside::Nobody,
        Some(run) if run.status.role == Some(Role::Leaving) => Beside::Leaving,
        Some(_) => Beside::Incoming,
    };
    (side, beside)
}
