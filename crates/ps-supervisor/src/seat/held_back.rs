//! The part of a seat that concerns types which wait for each other.

use formation::Milestone;

use super::Seat;
use crate::means::Means;
use crate::run::Run;
use crate::run_table::RunState;
use crate::seat_table::{Event, Held};

impl Seat {
    /// Goes on at once if its type waits for no other. Otherwise the supervisor knows when.
    pub(super) fn hold(&mut self, means: &Means) -> Vec<Event> {
        let status = &mut self.current.settled(&self.slot, &self.directory, means).status;
        status.deaths.wait_until(None);
        // What has ended with success is a job, and the next run has to know it although the slot is not done any more.
        status.job |= status.done;
        let waits =
            means.spec.settings(&self.slot.process_type).is_some_and(|settings| settings.after.is_some());
        if waits { Vec::new() } else { vec![Event::Met] }
    }

    /// Whether it is to be filled, but waits for other types.
    pub(crate) fn is_waiting(&self) -> bool {
        self.held == Held::Waiting
    }

    /// Sets the reason in its status: what it waits for.
    pub(crate) fn wait_for(&mut self, what: &str) {
        let is_news = |run: &&mut Run| run.status.reason.as_deref() != Some(what);
        if let Some(current) = self.current.run_mut().filter(is_news) {
            current.status.reason = Some(what.to_owned());
            current.mark_changed();
        }
    }

    /// Whether its current run has reached a milestone.
    pub(crate) fn has_reached(&self, milestone: Milestone) -> bool {
        let Some(state) = self.current.run().map(Run::state) else { return false };
        match (self.held, milestone) {
            // Nobody can wait for a type with a schedule: no deploy takes that.
            (Held::Done | Held::Scheduled, _) => true,
            (Held::Filled, Milestone::Started) => {
                matches!(state, RunState::Starting | RunState::Ready | RunState::Unready)
            }
            (Held::Filled, Milestone::Ready) => state == RunState::Ready,
            (Held::Filled, Milestone::Done)
            | (
                Held::Off | Held::Waiting | Held::Emptying(_) | Held::Backoff | Held::Broken | Held::Crashed,
                _,
            ) => false,
        }
    }

    /// Whether the restart policy has given it up.
    pub(crate) fn is_given_up(&self) -> bool {
        self.held == Held::Crashed
    }
}
