//! The runs of an app, for whoever carries a `ps_rollout::Rollout` out inside the supervisor. It is one turn's work: no call
//! here waits for anything. What comes of a call is told as `ps_rollout::Event`, in the order in which it happened, and is
//! taken with [`Supervisor::take_news`]:
//!
//! | action of the rollout | call | told |
//! |---|---|---|
//! | `Start { run, revision, lane }` | [`Supervisor::start_run`] with the spec of that revision | `Started` or `StartRefused`, at once |
//! | `End(run)` | [`Supervisor::end_run`] | `Ended` once nothing is left, at once if nothing is; `Remains` 5 s after SIGKILL |
//! | `Forget(run)` | [`Supervisor::forget_run`] | nothing |
//! | `Commit(runs)`, `PutBack(runs)` | [`Supervisor::promote_run`] for each, once the record is written | nothing |
//!
//! By itself it tells of `Died` (at once, when the restart policy does not leave it at that), `Ended` (a job that finished,
//! once nothing is left of it) and `Respawned` (what fills a seat was started again, as another run).
//!
//! - [`Supervisor::listen_to_runs`] comes first: nothing is kept for nobody, and a run that came in and ended is then forgotten at once.
//! - The news is taken before `Rollout::handle` is called for anything else. Then the rollout has heard of every number that
//!   a restart policy used, and none of those it gives out is used twice. The plan's `next_number` is [`Supervisor::next_run_number`].
//! - Until it is promoted no restart policy touches a run that was started here. From then on the seat's does; what it went through
//!   before that (a job that finished) is taken into account. The slots of `Commit` that were filled already stay as they are.
//! - What filled the seat is beside then, and leaving: `End` is still to be called for it.
//! - A seat's current run that is told to end here leaves the seat off; that is not written as stopped by hand.
//! - [`Supervisor::has_seat`] opens the seat of a slot that the present spec does not want.
//!
//! For example, a trial of one-by-one: `start_run(web.1@17, Second)`, `Started`, `end_run(17)`, `Ended`, `forget_run(17)`; then
//! `end_run(16)`, `Ended`, `start_run(18, Own)`, `Started`, and at the commit `promote_run(18)`.

use std::collections::BTreeSet;
use std::sync::Arc;

use formation::Slot;
use ps_rollout::{Condition, Event, Lane, Run};

use super::Supervisor;
use crate::run::Terms;
use crate::run_table::RunState;
use crate::seat::Order;
use crate::spec::Spec;

/// What a client may see of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunView {
    /// Its name.
    pub(crate) run: Run,
    /// Where it lives.
    pub(crate) lane: Lane,
    /// The revision of the spec it was started from.
    pub(crate) revision: u64,
    /// Whether it fills its slot.
    pub(crate) is_current: bool,
    /// Whether it lives.
    pub(crate) condition: Condition,
    /// Its `PORT`.
    pub(crate) port: Option<u16>,
}

impl Supervisor {
    /// From here on what happens to runs is kept until it is taken, or no longer.
    pub(crate) fn listen_to_runs(&mut self, is_heard: bool) {
        self.means.news.listen(is_heard);
    }

    /// What happened to runs since this was last asked.
    pub(crate) fn take_news(&mut self) -> Vec<Event> {
        self.means.news.take()
    }

    /// The lowest number that no run has had.
    pub(crate) fn next_run_number(&self) -> u64 {
        self.means.numbers.next()
    }

    /// Opens the seat of a slot, if it is not open.
    pub(crate) fn has_seat(&mut self, slot: &Slot) {
        self.open_seat(slot, &BTreeSet::new());
    }

    /// Starts a run in a slot, beside what fills it.
    pub(crate) fn start_run(&mut self, run: &Run, lane: Lane, spec: &Spec) {
        self.has_seat(&run.slot);
        let terms = self.terms_of(&run.slot, spec);
        let order = Order { number: run.number, lane, spec, terms: &terms };
        if let Some(seat) = self.seats.get_mut(&run.slot) {
            seat.replace(&order, &mut self.means);
        }
    }

    /// The rules for the end of a run in a slot, which it shares with the new run in the nearest slot before, if that has the same.
    fn terms_of(&self, slot: &Slot, spec: &Spec) -> Arc<Terms> {
        let terms = Terms::of(spec, &slot.process_type);
        let before = self.seats.range(..slot).rev().find_map(|(_, seat)| seat.beside()?.terms.as_ref());
        before.filter(|before| ***before == terms).map_or_else(|| Arc::new(terms), Arc::clone)
    }

    /// Ends a run, and whatever its restart policy would put in its place.
    pub(crate) fn end_run(&mut self, run: &Run) {
        self.has_seat(&run.slot);
        if let Some(seat) = self.seats.get_mut(&run.slot) {
            seat.end(run.number, &mut self.means);
        }
    }

    /// A run that came in fills its slot from now on. Whether it does.
    pub(crate) fn promote_run(&mut self, run: &Run) -> bool {
        self.seats.get_mut(&run.slot).is_some_and(|seat| seat.promote(run.number, &mut self.means))
    }

    /// Removes what is left of a run that has ended, its logs excepted.
    pub(crate) fn forget_run(&mut self, run: &Run) {
        if let Some(seat) = self.seats.get_mut(&run.slot) {
            seat.forget_run(run.number, &mut self.means);
        }
    }

    /// Every run that lives, and that of each slot that lives no more but is in the hands of its restart policy.
    pub(crate) fn view_runs(&self) -> Vec<RunView> {
        let mut views = Vec::new();
        for (slot, seat) in &self.seats {
            for run in seat.runs() {
                let condition = match run.state() {
                    RunState::Starting | RunState::Ready | RunState::Unready => Condition::Up,
                    RunState::Preparing
                    | RunState::StopCommand
                    | RunState::Terminating
                    | RunState::Killing
                    | RunState::Clearing
                    | RunState::Ended => Condition::Over,
                };
                let is_current = seat.beside().is_none_or(|beside| beside.number() != run.number());
                if condition == Condition::Up || (is_current && seat.is_held()) {
                    let number = if is_current { seat.known() } else { run.number() };
                    views.push(RunView {
                        run: Run { slot: slot.clone(), number },
                        lane: run.status.lane,
                        revision: run.status.revision,
                        is_current,
                        condition,
                        port: run.status.port,
                    });
                }
            }
        }
        views
    }
}

#[cfg(test)]
mod tests;
