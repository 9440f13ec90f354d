//! What a new seat begins with: whatever an earlier supervisor left running in it and wrote down about it. A process is
//! adopted only if pid, start time and boot all match; what is over stays over.

use formation::{Slot, State};
use os_process::{ProcessId, Tree};

use crate::means::Means;
use crate::process::Process;
use crate::restart::{Deaths, is_job};
use crate::seat::now;
use crate::status::Status;
use crate::transition::{SeatState, Then, Verdict};

/// The beginning of a seat.
pub(crate) struct Begin {
    pub(crate) state: SeatState,
    pub(crate) process: Option<Process>,
    pub(crate) status: Status,
    /// Whether what is left in the tree is to be killed at once.
    pub(crate) is_due: bool,
}

/// How the seat of a slot begins; `earlier` is its last status, if that can be read.
pub(crate) fn begin(slot: &Slot, earlier: Option<Status>, tree: &Tree, means: &mut Means) -> Begin {
    let recorded = earlier.as_ref().and_then(|status| status.process.as_ref()).and_then(Process::adopt);
    let status = earlier.unwrap_or_else(|| nothing(slot));
    if recorded.is_some() {
        return Begin { state: SeatState::Up, process: recorded, status, is_due: false };
    }
    // Its supervisor may have died between starting it and writing that down; then it may not even have joined its
    // group yet, which looks empty.
    let found = tree.may_hold_strays().then(|| tree.find_main(&mut means.census)).flatten();
    let found = found.and_then(ProcessId::of);
    let is_empty = !tree.may_hold_strays() || (found.is_none() && tree.is_empty(None, &mut means.census));
    if let Some((id, process)) = found.and_then(|id| Some((id.clone(), Process::adopt(&id)?))) {
        let revision = means.spec.revision;
        let status = Status { process: Some(id), revision, reason: None, ..status };
        return Begin { state: SeatState::Up, process: Some(process), status, is_due: false };
    }
    let (state, status) = vacant(status, means);
    let state = match state {
        _ if is_empty => state,
        SeatState::Done => SeatState::Clearing(Verdict::Rest),
        SeatState::Crashed => SeatState::Clearing(Verdict::GiveUp),
        _ => SeatState::Killing(Then::Rest),
    };
    Begin { state, process: None, status, is_due: !is_empty }
}

/// The seat of an instance that has no process any more.
fn vacant(earlier: Status, means: &Means) -> (SeatState, Status) {
    let ended_unseen = earlier.process.is_some() && earlier.state != State::Stopping;
    // `job` is in no status of an earlier version of this program, but the policy says enough.
    let is_job = earlier.job || is_job(means.spec.restart_policy, false);
    let verdict = Deaths::default().verdict(means.spec.restart_policy, None, is_job);
    let state = match earlier.state {
        State::Crashed => SeatState::Crashed,
        _ if earlier.done || (ended_unseen && verdict == Verdict::Rest) => SeatState::Done,
        _ => SeatState::Down,
    };
    let last_exit = earlier.last_exit.filter(|_| !ended_unseen);
    let since = if ended_unseen { now() } else { earlier.since };
    let done = state == SeatState::Done;
    (state, Status { process: None, last_exit, since, done, ..earlier })
}

/// The status of an instance of which nothing was ever written.
fn nothing(slot: &Slot) -> Status {
    Status {
        slot: slot.clone(),
        state: State::Stopped,
        process: None,
        port: None,
        since: now(),
        restarts: 0,
        last_exit: None,
        revision: 0,
        job: false,
        done: false,
        log_offsets: [0; 2],
        reason: None,
        directory: None,
        note: None,
    }
}
