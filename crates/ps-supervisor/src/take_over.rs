//! How a seat begins: with the runs that an earlier supervisor left in the slot, and their statuses. A process is adopted
//! only if pid, start time and boot all match. An instance that had finished or was given up stays so. What a supervisor of
//! the first format started is run 0.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use formation::{Exit, OutOfMemory, ProcessType, RestartReason, Slot, State};
use os_process::{ProcessId, boot_id, since_boot};
use ps_rollout::Role;

use crate::current::Current;
use crate::limits::Limited;
use crate::means::Means;
use crate::output::Output;
use crate::outputs::Outputs;
use crate::process::Process;
use crate::restart::{Death, Deaths, is_job};
use crate::run::{Cause, Run, Terms};
use crate::run_name::RunName;
use crate::seat_table::{AfterDeath, Beside, Held, Then};
use crate::state::Place;
use crate::status::{self, Status};
use crate::{begun, layout};

/// The runs of a slot, and the state in which its seat begins.
pub(crate) struct Found {
    pub(crate) held: Held,
    pub(crate) side: Beside,
    pub(crate) current: Current,
    pub(crate) beside: Option<Box<Run>>,
    pub(crate) place: Place,
    /// Whether the run that fills the seat was started, and its supervisor did not come to write that down.
    pub(crate) has_begun: bool,
    /// Whether its run was about to be started, and it is unknown whether it was.
    pub(crate) is_in_doubt: bool,
}

/// Examines a slot in its directory. `alive` are the numbers of runs that have a cgroup or processes; `pipe` is the output
/// if it goes to the foreground program.
#[inline(never)]
pub(crate) fn find(
    slot: &Slot,
    directory: &Arc<Path>,
    alive: &BTreeSet<u64>,
    pipe: Option<Output>,
    means: &mut Means,
) -> Found {
    // A new slot, of which nothing can be read.
    let is_bare = alive.is_empty() && !directory.exists();
    let file = if is_bare { None } else { Status::read(directory).ok().flatten().map(Box::new) };
    let (kept, place) = means.state.take_left(slot).unzip();
    let is_kept = kept.is_some();
    means.numbers.pass(alive.iter().copied().max().unwrap_or(0));
    // A cgroup without a process is left over from a run that ended while no supervisor was there to remove it.
    let alive: BTreeSet<u64> =
        alive.iter().copied().filter(|number| !is_left_over(slot, *number, means)).collect();
    // On a full disk `state` can be newer than the slot's file.
    let earlier = kept.or_else(|| file.clone());
    let written = earlier.as_ref().map(|status| status.run);
    let left = if is_bare { BTreeSet::new() } else { layout::numbers(directory) };
    let numbers = left.iter().copied().chain(alive.iter().copied().filter(|n| *n > 0));
    // For the run that fills the slot, the slot's status is as good as the run's own file.
    let read = |number| {
        if written == Some(number) { None } else { begun::status_of(directory, number).map(Box::new) }
    };
    let mut runs: BTreeMap<u64, Option<Box<Status>>> = numbers.map(|number| (number, read(number))).collect();
    let fills = earlier.as_ref().and_then(|status| status.process.as_ref());
    let is_over = fills.is_none_or(|process| !process.is_alive());
    let unrecorded = unrecorded(&runs, &alive, &left).filter(|_| is_over);
    let number = current(written.unwrap_or(0), &runs, unrecorded);
    let lies = lies_at(number, &left, &alive, &mut runs);
    means.numbers.pass(runs.keys().copied().max().unwrap_or(0).max(number));
    let own = runs.remove(&number).flatten();
    let is_unknown = number == 0 && earlier.is_none() && own.is_none();
    let status = earlier.clone().or(own).unwrap_or_else(|| Box::new(Status::nothing(slot, status::now())));
    let status = numbered(status, slot, number);
    let outputs = Outputs::new(directory, number, status.log, means.descriptors).connected(pipe);
    let mut outputs = outputs.lying_at(lies);
    // Where that fails, the disk still takes nothing, and it is tried again with the next status.
    let _ = outputs.settle();
    let is_new = alive.is_empty() && (means.is_clear || is_bare);
    let is_unwritten = written.is_some_and(|written| written != number);
    let has_ended = is_unwritten && lies == number && status::read_exit(&outputs.directory()).is_some();
    let was_to_begin = status.begins;
    let (held, mut current) = begin(status, outputs, is_new, means);
    let is_in_doubt = was_to_begin && current.process().is_none() && current.status.last_exit.is_none();
    current.status.begins = false;
    if let Some(course) = &mut current.status.course {
        course.resume();
    }
    let has_begun = is_unwritten && (held.is_occupied() || has_ended);
    if is_kept && file == earlier && earlier.as_ref() == Some(&current.status) {
        current.is_as_written();
    }
    let (side, beside) = others(slot, directory, runs, means);
    let is_vacant = is_unknown && held == Held::Off && !current.outputs().is_piped();
    let current = if is_vacant { Current::vacant() } else { Current::Run(current) };
    Found { held, side, current, beside, place: place.unwrap_or_default(), has_begun, is_in_doubt }
}

/// Whether nothing is left of a run but its group, which is removed then. What was just started may not have entered it yet.
fn is_left_over(slot: &Slot, number: u64, means: &mut Means) -> bool {
    let tree = means.tree(slot, number, false);
    let is_over = tree.is_empty(None, &mut means.census)
        && (means.is_clear || tree.find_main(&mut means.census).is_none());
    if is_over {
        tree.release();
    }
    is_over
}

/// Which run fills the slot: the one that its status names. If that one's directory is gone, it is the newest that was not
/// started beside another, because a run's directory is renamed for its successor before the successor's status is written.
/// Or it is a run that could not be recorded.
fn current(written: u64, runs: &BTreeMap<u64, Option<Box<Status>>>, unrecorded: Option<u64>) -> u64 {
    if let Some(unrecorded) = unrecorded.filter(|number| *number > written) {
        return unrecorded;
    }
    let fills = |run: &Option<Box<Status>>| run.as_ref().is_none_or(|run| run.role == Some(Role::Current));
    let newest = runs.iter().rev().find(|(_, run)| fills(run)).map(|(number, _)| *number);
    newest.filter(|newest| *newest > written && !runs.contains_key(&written)).unwrap_or(written)
}

/// The newest run that lives and of which nothing is written, not even a directory: it was started while the disk took nothing, in the
/// place of the one that is written. A run beside another has a directory before it is started.
fn unrecorded(
    runs: &BTreeMap<u64, Option<Box<Status>>>,
    alive: &BTreeSet<u64>,
    directories: &BTreeSet<u64>,
) -> Option<u64> {
    let is_it = |(number, run): &(&u64, &Option<Box<Status>>)| {
        run.is_none() && alive.contains(number) && !directories.contains(number)
    };
    runs.iter().rev().find(is_it).map(|(number, _)| *number)
}

/// The run in whose directory the FIFOs of the run that fills the slot are. It is an earlier one, which has ended, if the disk refused to
/// rename that directory; it is then no run of its own any more.
fn lies_at(
    number: u64,
    directories: &BTreeSet<u64>,
    alive: &BTreeSet<u64>,
    runs: &mut BTreeMap<u64, Option<Box<Status>>>,
) -> u64 {
    if number == 0 || directories.contains(&number) {
        return number;
    }
    let has_ended = |number: u64| {
        let status = runs.get(&number).and_then(Option::as_ref);
        let was_current = status.is_none_or(|status| status.role == Some(Role::Current));
        let lives = status.and_then(|status| status.process.as_ref()).is_some_and(ProcessId::is_alive);
        was_current && !lives && !alive.contains(&number)
    };
    let earlier = directories.range(..number).rev().copied().find(|earlier| has_ended(*earlier));
    earlier.inspect(|earlier| drop(runs.remove(earlier))).unwrap_or(number)
}

fn numbered(mut status: Box<Status>, slot: &Slot, number: u64) -> Box<Status> {
    if status.run == 0 && number > 0 {
        status.log = number;
    }
    (status.format, status.run, status.role) = (status::FORMAT, number, Some(Role::Current));
    status.slot.clone_from(slot);
    status
}

/// The run that fills the slot, or filled it last.
#[inline(never)]
fn begin(mut status: Box<Status>, outputs: Outputs, is_new: bool, means: &mut Means) -> (Held, Box<Run>) {
    let tree = means.tree(&status.slot, status.run, is_new);
    let recorded = status.process.as_ref().and_then(Process::adopt);
    if let Some(process) = recorded {
        return (Held::Filled, Run::adopted(process, Run::without_life(status, tree, outputs)));
    }
    // The supervisor may have died after it started the process and before it recorded that. The process may not even have
    // joined its cgroup yet, which then looks empty.
    let found = tree.may_hold_strays().then(|| tree.find_main(&mut means.census)).flatten();
    let found = found.and_then(ProcessId::of);
    let is_empty = !tree.may_hold_strays() || (found.is_none() && tree.is_empty(None, &mut means.census));
    if let Some(process) = found.as_ref().and_then(Process::adopt) {
        (status.revision, status.reason) = (means.spec.revision, None);
        return (Held::Filled, Run::adopted(process, Run::without_life(status, tree, outputs)));
    }
    if is_empty && !is_new {
        // Its supervisor was not there to do so when it ended.
        tree.release();
    }
    let has_run = has_run(&status);
    let (held, status) = vacant(status, &outputs.directory(), means);
    let mut run = Run::without_life(status, tree, outputs);
    if has_run {
        run.take_last_words();
    }
    match held {
        _ if is_empty => (held, run),
        Held::Done => {
            (Held::Emptying(Then::Done), Run::being_cleared(run, Cause::ByItself(AfterDeath::Rest)))
        }
        Held::Crashed => {
            (Held::Emptying(Then::Crashed), Run::being_cleared(run, Cause::ByItself(AfterDeath::GiveUp)))
        }
        Held::Backoff => {
            (Held::Emptying(Then::Backoff), Run::being_cleared(run, Cause::ByItself(AfterDeath::Again)))
        }
        Held::Off | Held::Waiting | Held::Filled | Held::Emptying(_) | Held::Broken | Held::Scheduled => {
            (Held::Emptying(Then::Off), Run::being_cleared(run, Cause::Asked))
        }
    }
}

/// Whether a process of it ran in this boot, as far as is known: what it wrote may be in its FIFOs still.
fn has_run(status: &Status) -> bool {
    status.begins || status.process.as_ref().is_some_and(ProcessId::is_of_this_boot)
}

/// The seat of a run whose process has ended.
#[inline(never)]
fn vacant(mut earlier: Box<Status>, directory: &Path, means: &Means) -> (Held, Box<Status>) {
    if earlier.begins {
        return begun_or_not(earlier, directory, means);
    }
    // The exit may have been recorded beside the status, if the supervisor died between the two.
    let ended = earlier.process.clone().filter(|_| earlier.state != State::Stopping);
    let reaped = earlier.process.as_ref().and_then(Process::exit_of_child);
    let seen = || ended.as_ref().and_then(|_| status::read_exit(directory));
    let exit = reaped.filter(|_| ended.is_some()).or_else(seen);
    let is_unseen = ended.is_some() && exit.is_none();
    let out_of_memory =
        if ended.is_some() { for_want_of_memory(&earlier, exit, means) } else { earlier.out_of_memory };
    let mut deaths = earlier.deaths.clone().carried_on(boot_id());
    let decision = ended.as_ref().map(|process| {
        let terms = Terms::of(&means.spec, &earlier.slot.process_type);
        // Statuses of an earlier version have no `job`, but the policy alone answers for them.
        let is_job = earlier.job || is_job(terms.rules().policy, false);
        let killed = out_of_memory.is_some_and(|killed| killed.main);
        let why = killed.then_some(RestartReason::OutOfMemory);
        let decision = deaths.judge(&Death { why, ..unseen(process, exit, is_job) }, terms.rules());
        if process.boot_id != boot_id() {
            // The process ended because the machine was shut down, which is no failure of its own.
            deaths = Deaths::default();
            return if decision == AfterDeath::Rest { decision } else { AfterDeath::Again };
        }
        if decision == AfterDeath::Again {
            let delay = deaths.delay(terms.rules().settings, 0);
            deaths.wait_until((!delay.is_zero()).then(|| since_boot() + delay));
        }
        decision
    });
    let held = match earlier.state {
        State::Crashed => Held::Crashed,
        _ if earlier.done || decision == Some(AfterDeath::Rest) => Held::Done,
        _ if decision == Some(AfterDeath::GiveUp) => Held::Crashed,
        // All of the app may have died with the supervisor: a type that waits for others waits for them as at a first start.
        _ if ended.is_some() && waits_for_others(&earlier.slot.process_type, means) => Held::Off,
        _ if deaths.waits(since_boot()).is_some() => Held::Backoff,
        _ => Held::Off,
    };
    let last_exit = exit.or(earlier.last_exit.filter(|_| !is_unseen));
    let since = if ended.is_some() { status::now() } else { earlier.since };
    // The restart counts as one of the restart policy, whichever supervisor makes it.
    if exit.is_some() && decision == Some(AfterDeath::Again) && held == Held::Off {
        earlier.restarts += 1;
        let why = deaths.take_why();
        earlier.restarts_by_reason.count(why.unwrap_or(RestartReason::Unknown));
    }
    (earlier.process, earlier.last_exit, earlier.out_of_memory) = (None, last_exit, out_of_memory);
    (earlier.since, earlier.deaths) = (since, deaths);
    (held, earlier)
}

/// The seat of a job that was about to be started when its supervisor died. It counts as one that ran and whose end is unknown: a job that
/// must not run twice is not started again.
fn begun_or_not(mut earlier: Box<Status>, directory: &Path, means: &Means) -> (Held, Box<Status>) {
    let exit = status::read_exit(directory);
    let terms = Terms::of(&means.spec, &earlier.slot.process_type);
    let mut deaths = earlier.deaths.clone().carried_on(boot_id());
    let death = Death { lifetime: Duration::ZERO, at: since_boot(), exit, is_job: true, why: None };
    let held = match deaths.judge(&death, terms.rules()) {
        AfterDeath::Rest => Held::Done,
        AfterDeath::GiveUp => Held::Crashed,
        AfterDeath::Again | AfterDeath::Await => Held::Off,
    };
    let unknown = format!(
        "whether run {} ran is not known, because the supervisor was killed as it was about to start it: it is not run again",
        earlier.run
    );
    if exit.is_none() {
        earlier.note = Some(unknown);
    }
    (earlier.last_exit, earlier.since, earlier.deaths) = (exit, status::now(), deaths);
    (held, earlier)
}

/// The out-of-memory kill that ended a run while no supervisor lived. The groups that limited it are removed, if they are empty.
fn for_want_of_memory(status: &Status, exit: Option<Exit>, means: &Means) -> Option<OutOfMemory> {
    let in_force = status.limits.as_deref()?;
    let name = RunName { slot: status.slot.clone(), number: status.run };
    let tree = means.tree(&status.slot, status.run, false);
    let limited = Limited::left(in_force, &means.service, &tree, &name.to_string());
    let reason = limited.reason(in_force, exit);
    limited.remove();
    reason
}

fn waits_for_others(process_type: &ProcessType, means: &Means) -> bool {
    means.spec.settings(process_type).is_some_and(|settings| settings.after.is_some())
}

/// The death of a process while no supervisor lived. Its lifetime is not known, so it is taken to have ended just now.
fn unseen(process: &ProcessId, exit: Option<Exit>, is_job: bool) -> Death {
    Death { lifetime: process.age(), at: since_boot(), exit, is_job, why: None }
}

/// The run beside, if one lives. The remains of other runs are removed: they have ended, or nothing says why they live.
#[inline(never)]
fn others(
    slot: &Slot,
    directory: &Arc<Path>,
    runs: BTreeMap<u64, Option<Box<Status>>>,
    means: &mut Means,
) -> (Beside, Option<Box<Run>>) {
    let mut beside = None;
    for (number, status) in runs.into_iter().rev() {
        let mut status = status.unwrap_or_else(|| Box::new(Status::nothing(slot, status::now())));
        status.role = status.role.filter(|role| *role == Role::Leaving).or(Some(Role::Incoming));
        (status.slot, status.run) = (slot.clone(), number);
        let process = status.process.as_ref().and_then(Process::adopt);
        let tree = means.tree(slot, number, false);
        let is_empty = process.is_none() && tree.is_empty(None, &mut means.census);
        let outputs = Outputs::new(directory, number, status.log, means.descriptors);
        let found = process.is_none().then(|| tree.find_main(&mut means.census)).flatten();
        let found = found.and_then(ProcessId::of).and_then(|id| Process::adopt(&id));
        let has_run = process.is_none() && found.is_none() && has_run(&status);
        let mut run = Run::without_life(status, tree, outputs);
        if has_run {
            run.take_last_words();
        }
        if is_empty && found.is_none() {
            run.clear_away(means);
        } else if beside.is_some() {
            run.tree().kill(None, &mut means.census);
        } else {
            beside = Some(match process.or(found) {
                Some(process) => Run::adopted(process, run),
                None => Run::being_cleared(run, Cause::ByItself(AfterDeath::GiveUp)),
            });
        }
    }
    let side = match &beside {
        None => Beside::Nobody,
        Some(run) if run.status.role == Some(Role::Leaving) => Beside::Leaving,
        Some(_) => Beside::Incoming,
    };
    (side, beside)
}
