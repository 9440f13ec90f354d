//! The comparison of a rollout, if it has one: what is to be done about it, and what it says of a slot.

use formation::Slot;
use ps_rollout::{Side, State, Tally};

use super::{Carried, Step, now};

impl Carried {
    /// What is to be done about the comparison, if there is one.
    pub(crate) fn compare(&mut self, is_counted: bool) -> Step {
        let step = match &mut self.comparison {
            Some(comparison) if self.rollout.state() == State::Rolling => comparison.step(now(), is_counted),
            _ => Step::Nothing,
        };
        let is_change = match step {
            Step::Nothing | Step::CountSoFar | Step::Look => false,
            Step::LetIn(_) | Step::Count | Step::Judge => true,
        };
        self.has_compared |= is_change;
        step
    }

    /// Judges the comparison by what was counted of each run; `None`: that is not known.
    pub(crate) fn judge(&mut self, counted: Option<&dyn Fn(&str) -> Tally>) {
        let events = self.comparison.as_mut().map(|comparison| comparison.judge(counted));
        self.heard.extend(events.unwrap_or_default());
    }

    /// Ends the comparison early if the new revision is hopeless by what was counted of each run so far.
    pub(crate) fn look(&mut self, counted: &dyn Fn(&str) -> Tally) {
        let events = self.comparison.as_mut().map(|comparison| comparison.look(counted)).unwrap_or_default();
        self.has_compared |= !events.is_empty();
        self.heard.extend(events);
    }

    /// The side on which a slot's new run is compared with the other; `None`: on neither.
    pub(crate) fn side(&self, slot: &Slot) -> Option<Side> {
        self.comparison.as_ref().and_then(|comparison| comparison.side(slot))
    }

    /// Whether a slot has a run of the old revision for the time of the comparison.
    pub(crate) fn is_control(&self, slot: &Slot) -> bool {
        self.comparison.as_ref().is_some_and(|comparison| comparison.control().any(|known| known == slot))
    }
}
