//! The laws of types that wait for each other: before a start, the types that it waits for have come far enough; before a run
//! ends, the runs that depend on it have ended.

use formation::{Milestone, Slot, Wait};
use ps_rollout::{Lane, Revision, Run, State, Strategy};

use crate::fleet::Body;
use crate::laws::{Lawful, Laws, law};
use crate::scenario::{Kind, Planned};

impl Laws<'_> {
    /// Checked when a new run is ordered for the first time.
    pub(crate) fn may_start(&self, run: &Run) -> Lawful {
        if self.book.ordered.contains(&run.number) {
            return Ok(());
        }
        let planned = &self.scenario.slots[&run.slot];
        let is_told = |number: u64| self.book.told.contains(&number);
        let is_moving = planned.rules.strategy == Strategy::OneByOne
            && planned.present.as_ref().is_some_and(|present| is_told(present.number));
        for wait in self.scenario.waits(&run.slot) {
            let of_type =
                self.scenario.slots.iter().filter(|(slot, _)| slot.process_type == wait.process_type);
            for (slot, other) in of_type {
                let has_come = self.is_absent(slot, other)
                    || self.has_come(slot, other, wait.milestone)
                        && (!is_moving || self.is_in_place(slot, other));
                law(has_come, || format!("{run} was started before {slot}, which it waits for: {wait:?}"))?;
            }
        }
        Ok(())
    }

    /// Whether no slot has to wait for this one, or the rollout is not responsible for a fault there.
    fn is_absent(&self, slot: &Slot, planned: &Planned) -> bool {
        let stops_first = planned.rules.strategy == Strategy::StopFirst;
        let of_type = &self.scenario.plan.types[&slot.process_type];
        let has_something = of_type.slots.values().any(|change| *change != ps_rollout::Change::Start);
        planned.kind == Kind::Stop
            || self.book.excused.contains(slot)
            || (stops_first && has_something && planned.kind != Kind::Keep)
    }

    fn has_come(&self, slot: &Slot, planned: &Planned, milestone: Milestone) -> bool {
        if planned.kind == Kind::Keep {
            return self.fleet.serves(slot) && milestone != Milestone::Done;
        }
        let is_born = |body: &Body| body.run.slot == *slot && body.revision == Revision::New;
        let has_started = milestone == Milestone::Started && self.fleet.bodies.values().any(is_born);
        has_started || self.book.proven.contains(slot)
    }

    /// Whether a run of a type that goes one by one has moved to its own lane.
    fn is_in_place(&self, slot: &Slot, planned: &Planned) -> bool {
        let moves = planned.rules.strategy == Strategy::OneByOne && planned.kind == Kind::Replace;
        let is_new = |body: &Body| {
            body.run.slot == *slot
                && body.revision == Revision::New
                && body.lane == Lane::Own
                && body.was_ready
        };
        !moves || self.fleet.alive().any(is_new)
    }

    /// Checked when an old run is told to end for the first time.
    pub(crate) fn may_end_before_others(&self, run: &Run, state: State) -> Lawful {
        let slot = &run.slot;
        let goes = |planned: &Planned| matches!(planned.kind, Kind::Stop | Kind::Replace);
        let is_free = |slot: &Slot| self.book.stopped.contains(slot) || self.book.excused.contains(slot);
        let planned = &self.scenario.slots[slot];
        let body = self.fleet.bodies.get(&run.number).filter(|body| body.revision == Revision::Old);
        if body.is_none() || !goes(planned) || is_free(slot) || self.book.told.contains(&run.number) {
            return Ok(());
        }
        let stops_first = |planned: &Planned| planned.rules.strategy == Strategy::StopFirst;
        let is_ordered = |other: &Planned| match state {
            State::Committed => true,
            State::Rolling => stops_first(planned) && stops_first(other),
            State::Idle | State::PuttingBack | State::Failed => false,
        };
        let is_it = |wait: &Wait| wait.process_type == slot.process_type;
        let is_left = |other: &&Body| {
            let planned = &self.scenario.slots[&other.run.slot];
            self.scenario.waits(&other.run.slot).iter().any(is_it)
                && other.revision == Revision::Old
                && goes(planned)
                && is_ordered(planned)
                && !is_free(&other.run.slot)
                && !self.book.told.contains(&other.run.number)
        };
        let left = self.fleet.alive().find(is_left);
        law(left.is_none(), || format!("{run} was ended before {left:?}, which depends on it"))
    }
}
