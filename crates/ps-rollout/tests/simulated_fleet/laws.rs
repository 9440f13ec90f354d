//! Laws that must always hold. Each law examines only the fleet, and the faults that came from outside; none trusts the
//! rollout.

use std::collections::BTreeSet;
use std::time::Duration;

use formation::Slot;
use ps_rollout::{Fate, Lane, Outcome, Revision, Run, State, Strategy};

use crate::fleet::{Body, Fleet};
use crate::scenario::{Kind, Planned, Scenario};

/// Facts about a rollout that are needed to check its laws.
#[derive(Default)]
pub(crate) struct Book {
    /// Slots with a fault that the rollout is not responsible for: a run died, a start failed, a person stopped it.
    pub(crate) excused: BTreeSet<Slot>,
    /// Slots that a person stopped.
    pub(crate) stopped: BTreeSet<Slot>,
    /// Slots in which the new revision has passed its gate.
    pub(crate) proven: BTreeSet<Slot>,
    /// Runs that the rollout brings up and that have not been ready yet.
    pub(crate) coming: BTreeSet<u64>,
    /// Runs that were told to end.
    pub(crate) told: BTreeSet<u64>,
    /// Runs that were ordered.
    pub(crate) ordered: BTreeSet<u64>,
    /// Slots whose old run has finished as it should, and the executor reported that.
    pub(crate) finished: BTreeSet<Slot>,
    /// Whether there was any fault from outside.
    pub(crate) had_trouble: bool,
    /// Whether somebody cancelled before the commit.
    pub(crate) was_cancelled: bool,
    /// Whether the commit was ordered.
    pub(crate) is_committing: bool,
}

pub(crate) type Lawful = Result<(), String>;

pub(crate) struct Laws<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) fleet: &'a Fleet,
    pub(crate) book: &'a Book,
}

pub(crate) fn law(holds: bool, broken: impl FnOnce() -> String) -> Lawful {
    if holds { Ok(()) } else { Err(broken()) }
}

impl Laws<'_> {
    /// The laws that hold at every moment.
    pub(crate) fn always(&self) -> Lawful {
        self.one_run_a_lane()?;
        self.never_two_where_the_old_one_stops_first()?;
        self.no_slot_is_dark_without_need()?;
        self.no_more_come_up_at_once_than_may()
    }

    fn of(&self, slot: &Slot) -> &Planned {
        &self.scenario.slots[slot]
    }

    fn strategy(&self, slot: &Slot) -> Strategy {
        self.of(slot).rules.strategy
    }

    fn one_run_a_lane(&self) -> Lawful {
        let mut taken = BTreeSet::new();
        for body in self.fleet.alive() {
            let is_second = body.lane == Lane::Second;
            law(taken.insert((&body.run.slot, is_second)), || {
                format!("two on one lane: {} on {:?}", body.run, body.lane)
            })?;
        }
        Ok(())
    }

    fn never_two_where_the_old_one_stops_first(&self) -> Lawful {
        let mut taken = BTreeSet::new();
        let stops_first = |body: &&Body| self.strategy(&body.run.slot) == Strategy::StopFirst;
        // A leftover beside an old run was there before the rollout began; a new run must not join it.
        let leftover = self.fleet.alive().filter(stops_first).find(|body| body.is_leftover);
        for body in self.fleet.alive().filter(stops_first).filter(|body| !body.is_leftover) {
            let slot = &body.run.slot;
            let joins = |left: &Body| {
                body.revision == Revision::New && left.run.slot.process_type == slot.process_type
            };
            law(!leftover.is_some_and(joins), || format!("beside a leftover: {}", body.run))?;
            law(taken.insert(slot), || format!("two of a stop-first slot: {}", body.run))?;
            let is_beside = |other: &&Body| {
                other.run.slot.process_type == slot.process_type
                    && other.revision == Revision::Old
                    && self.of(&other.run.slot).kind != Kind::Keep
                    && !other.is_stubborn
            };
            if body.revision == Revision::New && !body.is_stubborn {
                let beside = self.fleet.alive().find(is_beside);
                law(beside.is_none(), || {
                    format!("two of a stop-first type: {} beside {beside:?}", body.run)
                })?;
            }
        }
        Ok(())
    }

    /// `max_unavailable`, counted in slots that had a run at the beginning and that had no fault from outside.
    fn no_slot_is_dark_without_need(&self) -> Lawful {
        for (process_type, planned) in &self.scenario.plan.types {
            let slots = self.scenario.slots.iter().filter(|(slot, _)| slot.process_type == *process_type);
            let served_before: Vec<&Slot> = slots
                .filter(|(_, planned)| planned.present.as_ref().is_some_and(|present| present.is_up))
                .filter(|(_, planned)| planned.kind != Kind::Stop || !self.book.is_committing)
                .map(|(slot, _)| slot)
                .collect();
            let is_dark = |slot: &&&Slot| !self.book.excused.contains(**slot) && !self.fleet.serves(slot);
            let dark: Vec<_> = served_before.iter().filter(is_dark).collect();
            let limit = planned.rules.max_unavailable(served_before.len());
            law(dark.len() <= limit, || format!("too few ready: {dark:?} are without, {limit} may be"))?;
        }
        Ok(())
    }

    fn no_more_come_up_at_once_than_may(&self) -> Lawful {
        for (process_type, planned) in &self.scenario.plan.types {
            let is_coming = |body: &&Body| {
                body.run.slot.process_type == *process_type && self.book.coming.contains(&body.run.number)
            };
            let coming = self.fleet.alive().filter(is_coming).count();
            let is_tried = planned.rules.strategy == Strategy::OneByOne && !self.is_gate_passed();
            let limit = if is_tried { planned.rules.max_trials() } else { planned.rules.max_parallel };
            let limit = usize::from(limit.get());
            law(coming <= limit, || format!("too many at once: {coming} of {process_type}, {limit} may be"))?;
        }
        Ok(())
    }

    /// Whether the new revision has passed every gate that comes before the first old run is touched.
    pub(crate) fn is_gate_passed(&self) -> bool {
        self.are_proven(|planned| planned.rules.strategy != Strategy::StopFirst)
    }

    fn are_proven(&self, which: impl Fn(&Planned) -> bool) -> bool {
        let rolled = self.scenario.slots.iter().filter(|(_, planned)| planned.is_rolled() && which(planned));
        let is_proven = |slot: &Slot| self.book.proven.contains(slot) || self.book.stopped.contains(slot);
        rolled.map(|(slot, _)| slot).all(is_proven)
    }

    /// The promise, checked when an old run is withdrawn or told to end. A type that stops first waits until all others
    /// are proven, and all others wait until the types that stopped first have come up again.
    pub(crate) fn may_touch(&self, run: &Run) -> Lawful {
        let Some(body) = self.fleet.bodies.get(&run.number) else { return Ok(()) };
        let is_free = body.revision == Revision::New || self.book.stopped.contains(&run.slot);
        let is_first = self.strategy(&run.slot) == Strategy::StopFirst;
        let is_proven = if is_first { self.is_gate_passed() } else { self.are_proven(|_| true) };
        law(is_free || is_proven, || format!("an old run was touched before the gate: {run}"))
    }

    /// A run is withdrawn before it ends. When the rollout is being undone, a run that has not been told to end yet is
    /// not ended.
    pub(crate) fn may_be_told_to_end(&self, run: &Run, state: State) -> Lawful {
        let body = self.fleet.bodies.get(&run.number).filter(|body| body.is_alive);
        let Some(body) = body.filter(|_| !self.book.told.contains(&run.number)) else { return Ok(()) };
        law(!body.is_served, || format!("ended with its clients: {run}"))?;
        let is_free = body.revision == Revision::New || self.book.stopped.contains(&run.slot);
        law(is_free || state != State::PuttingBack, || format!("ended although all is put back: {run}"))
    }

    /// A recorded run has lived for its minimum time, whenever its clients were led to it.
    pub(crate) fn may_be_recorded(&self, run: &Run, now: Duration) -> Lawful {
        let minimum_life = self.of(&run.slot).rules.minimum_life;
        let is_young =
            |body: &&Body| body.is_alive && body.revision == Revision::New && now < body.born + minimum_life;
        let young = self.fleet.bodies.get(&run.number).filter(is_young);
        law(young.is_none(), || format!("recorded before it had lived for {minimum_life:?}: {run}"))
    }

    pub(crate) fn may_return(&self, run: &Run) -> Lawful {
        law(!self.book.finished.contains(&run.slot), || format!("started again although it was done: {run}"))
    }

    pub(crate) fn may_forget(&self, run: &Run) -> Lawful {
        let is_alive = self.fleet.bodies.get(&run.number).is_some_and(|body| body.is_alive);
        law(!is_alive, || format!("a run that lives was forgotten: {run}"))
    }

    /// The laws that hold when the rollout is over.
    pub(crate) fn finally(&self, state: State, outcome: &Outcome, now: Duration) -> Lawful {
        let is_committed = state == State::Committed;
        law(is_committed == outcome.cause.is_none(), || format!("{state:?} because of {:?}", outcome.cause))?;
        let reason = outcome.cause.as_ref().map(|cause| cause.failure.to_string()).unwrap_or_default();
        law(is_committed || self.book.had_trouble, || format!("failed without need at {now:?}: {reason}"))?;
        let culprit = outcome.cause.as_ref().and_then(|cause| cause.slot.as_ref());
        let is_listed = |culprit: &Slot| outcome.failures.iter().any(|(slot, _)| slot == culprit);
        law(culprit.is_none_or(is_listed), || format!("{culprit:?} is not among {:?}", outcome.failures))?;
        law(!is_committed || !self.book.was_cancelled, || "committed although cancelled in time".to_owned())?;
        let is_a_guess = self.book.proven.is_empty() && self.scenario.slots.values().any(Planned::is_rolled);
        law(!is_committed || !is_a_guess, || "committed without proof".to_owned())?;
        let is_partial = is_committed && !outcome.failures.is_empty();
        law(!is_partial || self.scenario.is_each_for_itself, || format!("committed in part: {outcome:?}"))?;
        self.recorded_is_running(is_committed, outcome)?;
        self.a_gate_that_failed_left_everything(is_committed)?;
        self.whoever_must_be_found_is_on_the_own_lane(is_committed)?;
        self.nothing_is_left_over(outcome)?;
        for (slot, fate) in &outcome.slots {
            self.the_fate_is_true(slot, fate, is_committed, outcome)?;
        }
        Ok(())
    }

    fn recorded_is_running(&self, is_committed: bool, outcome: &Outcome) -> Lawful {
        if outcome.unrecorded.is_some() {
            return Ok(());
        }
        let revision = if is_committed { Revision::New } else { Revision::Old };
        let is_untouched = !is_committed && self.fleet.recorded == Revision::Old;
        law(is_untouched || self.fleet.recorded == revision, || format!("{revision:?} is not recorded"))?;
        for (run, _) in &outcome.remains {
            let is_alive = self.fleet.bodies.get(&run.number).is_some_and(|body| body.is_alive);
            law(is_alive, || format!("remains, but has ended: {run}"))?;
        }
        let remains = |run: &Run| outcome.remains.iter().any(|(remaining, _)| remaining == run);
        for body in self.fleet.alive().filter(|body| !remains(&body.run)) {
            let recorded = self.fleet.record.get(&body.run.slot);
            law(recorded == Some(&body.run.number), || {
                format!("{} runs, but {recorded:?} is recorded; {outcome:?}", body.run)
            })?;
        }
        for (slot, number) in self.fleet.record.iter().filter(|(slot, _)| !self.book.stopped.contains(*slot))
        {
            let Some(body) = self.fleet.bodies.get(number) else {
                return Err(format!("{slot}@{number} is recorded, but never lived; {outcome:?}"));
            };
            let is_there = body.is_alive || self.book.excused.contains(slot);
            law(is_there, || format!("{} is recorded, but does not run; {outcome:?}", body.run))?;
        }
        Ok(())
    }

    /// The promise, checked at the end: the same runs as before, with their clients.
    fn a_gate_that_failed_left_everything(&self, is_committed: bool) -> Lawful {
        if is_committed || self.is_gate_passed() {
            return Ok(());
        }
        for (slot, planned) in &self.scenario.slots {
            let Some(present) = planned.present.as_ref().filter(|present| present.is_up) else { continue };
            let body = &self.fleet.bodies[&present.number];
            let is_there = body.is_alive && body.is_served;
            law(is_there || self.book.excused.contains(slot), || {
                format!("the gate failed and {slot} lost its run")
            })?;
        }
        Ok(())
    }

    fn whoever_must_be_found_is_on_the_own_lane(&self, is_committed: bool) -> Lawful {
        for (slot, number) in self.fleet.record.iter().filter(|_| is_committed) {
            let planned = self.of(slot);
            let is_meant = planned.rules.strategy == Strategy::OneByOne && planned.is_rolled();
            let lane = self.fleet.bodies.get(number).map(|body| body.lane);
            law(!is_meant || lane == Some(Lane::Own), || format!("not on its own lane: {slot}@{number}"))?;
        }
        Ok(())
    }

    fn nothing_is_left_over(&self, outcome: &Outcome) -> Lawful {
        for body in self.fleet.bodies.values().filter(|body| !body.is_alive && !body.is_forgotten) {
            let is_recorded = self.fleet.record.get(&body.run.slot) == Some(&body.run.number);
            let is_in_doubt = outcome.unrecorded.is_some();
            law(is_recorded || is_in_doubt, || format!("{} was never forgotten; {outcome:?}", body.run))?;
        }
        Ok(())
    }

    fn the_fate_is_true(&self, slot: &Slot, fate: &Fate, is_committed: bool, outcome: &Outcome) -> Lawful {
        let planned = self.of(slot);
        let body = |run: &Run| self.fleet.bodies.get(&run.number);
        let is = |run: &Run, revision| {
            let is_there = |body: &Body| body.is_alive || self.book.excused.contains(slot);
            body(run).is_some_and(|body| body.revision == revision && is_there(body))
        };
        let is_empty = !self.fleet.alive().any(|body| body.run.slot == *slot && !body.is_stubborn);
        let holds = match fate {
            Fate::Kept(run) => is(run, Revision::Old) && (!is_committed || planned.kind == Kind::Keep),
            Fate::Started(run) => is(run, Revision::New) && is_committed && planned.kind == Kind::Start,
            Fate::Replaced { new, .. } => {
                is(new, Revision::New) && is_committed && planned.kind == Kind::Replace
            }
            Fate::Ended(_) => {
                let is_planned = is_committed && planned.kind == Kind::Stop;
                is_empty && (is_planned || self.book.excused.contains(slot))
            }
            Fate::Empty => {
                let has_failed = outcome.failures.iter().any(|(failed, _)| failed == slot);
                is_empty && planned.kind == Kind::Start && (!is_committed || has_failed)
            }
            Fate::Restarted { run, outage } => {
                let has_trouble = outcome.troubles.iter().any(|(troubled, _)| troubled == slot);
                is(run, Revision::Old) && !is_committed && (outage.is_some() || has_trouble)
            }
            Fate::Lost => is_empty && !is_committed && self.book.excused.contains(slot),
            Fate::Stopped => is_empty && self.book.stopped.contains(slot),
        };
        law(holds, || format!("{slot} is not {fate:?}: {outcome:?}"))
    }
}
