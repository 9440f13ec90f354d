//! How the order of types restricts a slot: when its new run may start, when a run may end, and when waiting is given up. All of
//! this is computed from the state of the slots, so that an executor that takes over comes to the same result.

use std::time::Duration;

use formation::Milestone;

use crate::errand::Errand;
use crate::life::{Happening, Life};
use crate::order::Place;
use crate::outcome::Failure;
use crate::rollout::Rollout;
use crate::seat::{Kind, Member, Seat, Tenure, Which};
use crate::stage::Stage;
use crate::turn::Turn;
use crate::{Revision, Strategy};

impl Rollout {
    /// The place of a slot's type; `None`: no type waits for another one.
    pub(crate) fn place(&self, index: usize) -> Option<&Place> {
        self.places.get(self.seats[index].rules)
    }

    /// Translates an event of a slot whose type is to end, or may end: if a run has ended with success, it is done. If other types
    /// wait for the end of a type, that its runs are ready is ignored (`None`).
    pub(crate) fn meaning(&self, index: usize, happening: Happening) -> Option<Happening> {
        let is_to_end = self.place(index).is_some_and(|place| place.is_to_end);
        let rules = self.rules[self.seats[index].rules];
        let may_end = is_to_end || (rules.may_end && !rules.is_checked);
        let happening = if may_end && happening == Happening::Ended { Happening::Done } else { happening };
        (!is_to_end || happening != Happening::Ready).then_some(happening)
    }

    /// Whether an errand of a slot is allowed by the types that its type waits for, and by those that wait for its type.
    pub(crate) fn is_let(&self, index: usize, errand: Errand) -> bool {
        match errand {
            // The slot waited before its old run was ended. Waiting now would make the outage longer.
            Errand::Start(Revision::New) if self.is_moving(index) => true,
            Errand::Start(Revision::New) => self.unmet(index).next().is_none(),
            Errand::Start(Revision::Old) => !self.follows_what_is_coming_back(index),
            Errand::Retire(Which::Old) if self.is_moving(index) => self.unmet(index).next().is_none(),
            Errand::Retire(which) => self.idle_obstacle(index).is_none() && !self.is_needed(index, which),
            Errand::Settled | Errand::Waits | Errand::Matures | Errand::Admit(_) => true,
        }
    }

    /// Whether the new run replaces the old one in this stage.
    fn is_moving(&self, index: usize) -> bool {
        let seat = &self.seats[index];
        self.stage == Stage::Moving && seat.kind == Kind::Replace && !seat.is_out()
    }

    /// The slots of other types that keep this one waiting.
    fn unmet(&self, index: usize) -> impl Iterator<Item = (usize, Milestone)> {
        let waits = self.place(index).map_or(&[][..], |place| &place.after).iter();
        waits.flat_map(move |(rules, milestone)| {
            let of_type = (0..self.seats.len()).filter(|other| self.seats[*other].rules == *rules);
            of_type.filter(|other| !self.has_reached(*other, *milestone)).map(|other| (other, *milestone))
        })
    }

    fn has_reached(&self, index: usize, milestone: Milestone) -> bool {
        let seat = &self.seats[index];
        if seat.is_left_out {
            return false;
        }
        match seat.kind {
            _ if seat.is_stopped => true,
            Kind::Stop => true,
            Kind::Keep => is_there(seat.old_life(), milestone),
            Kind::Start | Kind::Replace if self.stage == Stage::Proving => self.is_proven(index, milestone),
            Kind::Start | Kind::Replace => matches!(self.errand(index), Errand::Settled | Errand::Matures),
        }
    }

    fn is_proven(&self, index: usize, milestone: Milestone) -> bool {
        let seat = &self.seats[index];
        let comes_early = self.place(index).is_some_and(|place| place.comes_early);
        if self.rules[seat.rules].strategy == Strategy::StopFirst && !comes_early {
            // The slot starts when all other types have passed their gates, so these cannot wait for it.
            return true;
        }
        match seat.new_life() {
            None | Some(Life::Starting | Life::Down | Life::Remaining) => false,
            Some(Life::Probing | Life::Maturing) => milestone == Milestone::Started,
            // A trial is told to end only when it has passed.
            Some(
                Life::Ready
                | Life::Admitting
                | Life::Serving
                | Life::Withdrawing
                | Life::Ending
                | Life::Gone
                | Life::Finished,
            ) => true,
        }
    }

    /// Whether a type that this one waits for is still being restored. A type that could not be restored is not waited for.
    fn follows_what_is_coming_back(&self, index: usize) -> bool {
        let Some(place) = self.place(index) else { return false };
        let is_coming = |other: usize| !matches!(self.errand(other), Errand::Settled | Errand::Matures);
        let slots =
            |rules: usize| (0..self.seats.len()).filter(move |other| self.seats[*other].rules == rules);
        place
            .after
            .iter()
            .any(|(rules, _)| slots(*rules).any(|other| !self.seats[other].is_out() && is_coming(other)))
    }

    /// Whether a run has to outlive a run of a dependent type.
    fn is_needed(&self, index: usize, which: Which) -> bool {
        let seat = &self.seats[index];
        if seat.is_out() {
            return false;
        }
        let waits_for_it = |other: &&Seat| {
            let place = self.places.get(other.rules);
            place.is_some_and(|place| place.after.iter().any(|(rules, _)| *rules == seat.rules))
        };
        let strategy = |seat: &Seat| self.rules[seat.rules].strategy;
        let mut dependents = self.seats.iter().filter(waits_for_it).filter(|other| !other.is_out());
        let lives = |other: &Seat| other.new.as_ref().is_some_and(|new| !new.life.is_over());
        match which {
            Which::Old if self.stage == Stage::Retiring => dependents.any(Seat::old_is_to_go),
            Which::Old if self.stage == Stage::StoppingFirst => {
                dependents.any(|other| strategy(other) == Strategy::StopFirst && other.old_is_to_go())
            }
            // A run that is being started is ended at once: an executor that takes over must not start it again.
            Which::New if seat.new_life() == Some(Life::Starting) => false,
            Which::New if self.stage == Stage::PuttingBack && seat.tenure == Tenure::Untouched => {
                dependents.any(|other| other.tenure == Tenure::Untouched && lives(other))
            }
            Which::Old | Which::New | Which::Stray(_) => false,
        }
    }

    /// Sets the deadline of each slot that waits for a slot for which the rollout does nothing, such as a kept run that has
    /// died and that a restart policy may start again.
    pub(crate) fn limit_waiting(&mut self, turn: &Turn) {
        if self.places.is_empty() {
            return;
        }
        for index in 0..self.seats.len() {
            let idle = self.idle_obstacle(index);
            let seat = &self.seats[index];
            let limit = match idle {
                None => None,
                Some((other, _)) if self.seats[other].is_left_out => Some(turn.now),
                Some(_) => Some(seat.held_until.unwrap_or(turn.now + self.rules[seat.rules].deadline)),
            };
            self.seats[index].held_until = limit;
        }
    }

    /// The slot that keeps this one waiting although the rollout does nothing for it.
    fn idle_obstacle(&self, index: usize) -> Option<(usize, Milestone)> {
        let seat = &self.seats[index];
        let is_held = match self.errand(index) {
            Errand::Start(Revision::New) => true,
            Errand::Retire(Which::Old) => seat.kind == Kind::Replace,
            Errand::Start(Revision::Old)
            | Errand::Retire(_)
            | Errand::Settled
            | Errand::Waits
            | Errand::Matures
            | Errand::Admit(_) => false,
        };
        if !is_held || seat.is_out() || !self.stage.is_open() {
            return None;
        }
        let is_idle = |other: usize| self.seats[other].is_left_out || self.errand(other) == Errand::Settled;
        self.unmet(index).find(|(other, _)| is_idle(*other))
    }

    /// Lets the slots fail whose deadline for waiting has passed.
    pub(crate) fn end_waiting(&mut self, now: Duration) {
        for index in 0..self.seats.len() {
            if self.seats[index].held_until.is_none_or(|until| until > now) {
                continue;
            }
            self.seats[index].held_until = None;
            let Some((other, milestone)) = self.idle_obstacle(index) else { continue };
            let awaited = &self.seats[other].slot;
            let failure = Failure::NotReady(format!("waited in vain for {awaited} {}", milestone.phrase()));
            self.miss(index, failure);
        }
    }
}

impl Seat {
    /// Whether the slot was stopped or left out of the rollout.
    fn is_out(&self) -> bool {
        self.is_stopped || self.is_left_out
    }

    fn old_is_to_go(&self) -> bool {
        let lives = self.old.as_ref().is_some_and(|old: &Member| !old.life.is_over());
        matches!(self.kind, Kind::Stop | Kind::Replace) && lives
    }
}

/// Whether a run that the rollout keeps has reached a milestone.
fn is_there(life: Option<Life>, milestone: Milestone) -> bool {
    match life {
        Some(Life::Finished) => true,
        Some(Life::Serving) => milestone != Milestone::Done,
        Some(Life::Admitting | Life::Probing | Life::Maturing | Life::Ready) => {
            milestone == Milestone::Started
        }
        Some(
            Life::Starting | Life::Withdrawing | Life::Ending | Life::Remaining | Life::Gone | Life::Down,
        )
        | None => false,
    }
}
