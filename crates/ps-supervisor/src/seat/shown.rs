//! The states that the status of a seat's runs shows, and how their status is written and told.

use formation::State;
use ps_rollout::Role;

use super::Seat;
use crate::current::Current;
use crate::diary::{Happening, Occasion};
use crate::means::Means;
use crate::run::{Cause, Run};
use crate::run_table::RunState;
use crate::seat_table::{Beside, Held};
use crate::state::Place;
use crate::status::{Status, Unrecorded};

impl Seat {
    /// Sets the state and the role that the status of each run shows.
    pub(super) fn show(&mut self) {
        if let Some(current) = self.current.run_mut() {
            let state = shown(self.held, current.state());
            current.status.done = self.held == Held::Done;
            current.show(state, Role::Current);
        }
        if let Some(beside) = &mut self.beside {
            let role = if self.side == Beside::Leaving { Role::Leaving } else { Role::Incoming };
            let state = alone(beside.state(), beside.cause);
            beside.show(state, role);
        }
    }

    /// A copy of the status of the run that fills it, or filled it last.
    pub(crate) fn status(&self) -> Status {
        self.current.status(&self.slot)
    }

    /// Whether what filled it has finished, so that only an explicit order fills it again.
    pub(crate) fn is_done(&self) -> bool {
        self.held == Held::Done
    }

    /// Whether its current status has been written.
    pub(crate) fn is_written(&self) -> bool {
        self.runs().all(Run::is_written)
    }

    /// Sets the reason in its status, if a run has filled it.
    pub(crate) fn remark(&mut self, reason: Option<String>) {
        if let Some(current) = self.current.run_mut() {
            current.status.reason = reason;
        }
    }

    /// Sets the note in its status.
    pub(crate) fn note(&mut self, note: &str) {
        self.current.note(note);
    }

    /// Removes the note from its status if it is one of these.
    pub(crate) fn forget_note(&mut self, is_meant: impl Fn(&str) -> bool) {
        self.current.forget_note(is_meant);
    }

    /// Whether its status has changed since it was last told.
    pub(crate) fn has_changed(&self) -> bool {
        self.current.has_changed() || self.beside.as_ref().is_some_and(|beside| beside.has_changed())
    }

    /// The status of the run that fills it, if it has changed since the last call. It has been written to disk.
    pub(crate) fn take_change(&mut self, means: &mut Means) -> Option<Status> {
        if !self.current.has_changed() {
            return None;
        }
        let place = &mut self.place;
        let is_kept = match &self.current {
            Current::Run(run) => means.state.write(&means.service, place, &run.status),
            Current::Vacant(_) => means.state.write(&means.service, place, &self.current.status(&self.slot)),
        };
        let told = self.current.take_change(&self.slot, &self.directory, is_kept);
        if let Some(Unrecorded { since, why }) = self.current.run_mut().and_then(Run::take_gap) {
            let what = format!("from {since:.0} until now nothing could be recorded of it: {why}");
            let (occasion, slots, run) =
                (Occasion::Disk, vec![self.slot.clone()], self.current.run().map(Run::number));
            means.diary.note(Happening { occasion, slots, run, what, is_failure: true });
        }
        told
    }

    /// The same for the run beside.
    pub(crate) fn take_change_beside(&mut self) -> Option<Status> {
        self.beside.as_mut()?.take_change(None, false)
    }

    /// Writes the status file again if it differs from what was written, or if `state` was lost.
    pub(crate) fn check_file(&mut self, is_state_lost: bool) {
        if is_state_lost {
            self.place = Place::default();
        }
        let written = || Status::read(&self.directory).ok().flatten();
        if is_state_lost || written().as_ref() != Some(&self.status()) {
            self.current.mark_changed();
        }
    }
}

/// The state that a slot shows.
fn shown(held: Held, run: RunState) -> State {
    match held {
        Held::Off | Held::Done => State::Stopped,
        Held::Waiting => State::Waiting,
        Held::Filled => alone(run, None),
        Held::Emptying(_) => State::Stopping,
        Held::Backoff | Held::Broken => State::Backoff,
        Held::Scheduled => State::Scheduled,
        Held::Crashed => State::Crashed,
    }
}

/// The state that a run shows by itself.
fn alone(run: RunState, cause: Option<Cause>) -> State {
    match run {
        RunState::Preparing | RunState::Starting => State::Starting,
        RunState::Ready => State::Running,
        RunState::Unready => State::Unready,
        RunState::StopCommand | RunState::Terminating | RunState::Killing | RunState::Clearing => {
            State::Stopping
        }
        RunState::Ended if cause.is_some_and(Cause::is_failure) => State::Crashed,
        RunState::Ended => State::Stopped,
    }
}
