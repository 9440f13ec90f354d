//! Advances a rollout after an event: each slot gets its next errand, within the limits of its type. When every slot has
//! done what the current stage asks, the next stage begins.

use crate::errand::Errand;
use crate::event::Action;
use crate::life::{Happening, Life};
use crate::outcome::Failure;
use crate::rollout::Rollout;
use crate::seat::{Member, Seat, Tenure, Which};
use crate::stage::{Signal, Stage};
use crate::turn::Turn;
use crate::{Revision, Run, Strategy};

impl Rollout {
    /// Fires every timer that is due.
    pub(crate) fn ring(&mut self, turn: &mut Turn) {
        for index in 0..self.seats.len() {
            let is_due = |member: &Member| member.due.is_some_and(|due| due <= turn.now);
            let due: Vec<Which> = self.seats[index]
                .members()
                .filter(|(_, member)| is_due(member))
                .map(|(which, _)| which)
                .collect();
            for which in due {
                self.happen(index, which, Happening::Due, None, turn);
            }
        }
        self.end_waiting(turn.now);
    }

    /// Takes every step that needs no further event.
    pub(crate) fn advance(&mut self, turn: &mut Turn) {
        loop {
            let stage = self.stage;
            if self.has_broken() {
                self.signal(Signal::Broke, turn);
            } else {
                self.run_errands(turn);
                let is_settled = |index| self.errand(index) == Errand::Settled;
                if stage.ends_when_settled() && (0..self.seats.len()).all(is_settled) {
                    self.signal(Signal::Settled, turn);
                }
            }
            if self.stage == stage {
                return;
            }
        }
    }

    /// Whether the rollout has to be undone. That is also so if no slot is left in which the new revision could prove
    /// itself, because all of them were stopped by a person or left out: recording that revision would be a guess.
    fn has_broken(&mut self) -> bool {
        let mut rolled = self.seats.iter().filter(|seat| seat.is_rolled()).peekable();
        if rolled.peek().is_some() && rolled.all(|seat| seat.is_stopped || seat.is_left_out) {
            let left_out = self.seats.iter().find(|seat| seat.is_left_out);
            let failed = left_out.and_then(|seat| Some((seat.slot.clone(), seat.failure.clone()?)));
            match failed {
                Some((slot, failure)) => self.give_up(Some(slot), failure),
                None => self.give_up(None, Failure::Stopped),
            }
        }
        self.stage.is_open() && self.cause.is_some()
    }

    /// Handles a signal of the stage table. If the new stage writes the record, that is ordered.
    pub(crate) fn signal(&mut self, signal: Signal, turn: &mut Turn) {
        let before = self.stage;
        self.stage = before.after(signal);
        if self.stage != before {
            self.order_record(turn);
        }
    }

    /// Orders to write the record, if the stage has one.
    pub(crate) fn order_record(&self, turn: &mut Turn) {
        let filled = |revision| self.seats.iter().filter_map(|seat| seat.filled(revision)).cloned().collect();
        match self.stage {
            Stage::Committing => turn.actions.push(Action::Commit(filled(Revision::New))),
            Stage::Restoring => turn.actions.push(Action::PutBack(filled(Revision::Old))),
            Stage::Idle
            | Stage::Proving
            | Stage::StoppingFirst
            | Stage::Moving
            | Stage::Admitting
            | Stage::Retiring
            | Stage::Committed
            | Stage::PuttingBack
            | Stage::Clearing
            | Stage::Failed => (),
        }
    }

    pub(crate) fn errand(&self, index: usize) -> Errand {
        let seat = &self.seats[index];
        let comes_early = self.place(index).is_some_and(|place| place.comes_early);
        seat.errand(&self.rules[seat.rules], self.stage, comes_early)
    }

    fn run_errands(&mut self, turn: &mut Turn) {
        for index in 0..self.seats.len() {
            loop {
                let errand = self.errand(index);
                if !self.may(index, errand) {
                    break;
                }
                match errand {
                    Errand::Settled | Errand::Waits | Errand::Matures => break,
                    Errand::Start(revision) => self.start(index, revision, turn),
                    Errand::Admit(which) => self.happen(index, which, Happening::Admit, None, turn),
                    Errand::Retire(which) => self.retire(index, which, turn),
                }
            }
        }
    }

    /// Whether the limits of the type, and the types that wait for each other, permit an errand now.
    fn may(&self, index: usize, errand: Errand) -> bool {
        if !self.is_let(index, errand) {
            return false;
        }
        match errand {
            Errand::Settled | Errand::Waits | Errand::Matures | Errand::Admit(_) => true,
            Errand::Start(revision) => self.is_free_of(index, revision) && self.may_start(index),
            Errand::Retire(which) => !self.would_darken(index, which) || self.may_darken(index),
        }
    }

    fn siblings(&self, index: usize) -> impl Iterator<Item = (usize, &Seat)> {
        let rules = self.seats[index].rules;
        self.seats.iter().enumerate().filter(move |(_, seat)| seat.rules == rules)
    }

    fn limit(&self, index: usize) -> usize {
        let rules = &self.rules[self.seats[index].rules];
        let limit = match (self.stage, rules.strategy) {
            (Stage::Proving, Strategy::OneByOne) => rules.max_trials(),
            (_, Strategy::Overlap | Strategy::OneByOne | Strategy::StopFirst) => rules.max_parallel,
        };
        usize::from(limit.get())
    }

    fn may_start(&self, index: usize) -> bool {
        let waiting = self.siblings(index).filter(|(sibling, _)| self.errand(*sibling) == Errand::Waits);
        waiting.count() < self.limit(index)
    }

    /// For a type that stops first: whether no run of the other revision lives.
    fn is_free_of(&self, index: usize, revision: Revision) -> bool {
        let strategy = self.rules[self.seats[index].rules].strategy;
        strategy != Strategy::StopFirst || self.siblings(index).all(|(_, seat)| seat.is_clear_for(revision))
    }

    /// Whether the errand would leave a slot, whose run clients can reach now, without a run for a while.
    fn would_darken(&self, index: usize, which: Which) -> bool {
        let seat = &self.seats[index];
        let strategy = self.rules[seat.rules].strategy;
        let is_moving = match self.stage {
            Stage::Moving => which == Which::Old,
            Stage::PuttingBack => which == Which::New && matches!(seat.tenure, Tenure::ToldToGo { .. }),
            Stage::Idle
            | Stage::Proving
            | Stage::StoppingFirst
            | Stage::Admitting
            | Stage::Committing
            | Stage::Retiring
            | Stage::Committed
            | Stage::Restoring
            | Stage::Clearing
            | Stage::Failed => false,
        };
        is_moving && !seat.is_stopped && strategy == Strategy::OneByOne && seat.serves()
    }

    fn may_darken(&self, index: usize) -> bool {
        let is_dark =
            |(sibling, seat): &(usize, &Seat)| !seat.serves() && self.errand(*sibling) != Errand::Settled;
        self.siblings(index).filter(is_dark).count() < self.limit(index)
    }

    fn start(&mut self, index: usize, revision: Revision, turn: &mut Turn) {
        let number = self.take_number();
        let seat = &mut self.seats[index];
        let run = Run { slot: seat.slot.clone(), number };
        let due = Some(turn.now + self.rules[seat.rules].deadline);
        let lane = match (revision, &seat.old) {
            (Revision::Old, Some(old)) => old.lane,
            (Revision::Old, None) | (Revision::New, _) => seat.free_lane(),
        };
        let member = Some(Member { run: run.clone(), lane, life: Life::Starting, due, mature: None });
        match revision {
            Revision::New => seat.new = member,
            Revision::Old => {
                seat.old = member;
                seat.tenure = seat.tenure.returning(turn.now);
            }
        }
        turn.actions.push(Action::Start { run, revision, lane });
    }

    fn retire(&mut self, index: usize, which: Which, turn: &mut Turn) {
        let is_open = self.stage.is_open();
        let seat = &mut self.seats[index];
        let is_wanted = seat.member(which).is_some_and(|member| member.life != Life::Finished);
        if which == Which::Old && is_open && is_wanted {
            seat.tenure = Tenure::ToldToGo { since: turn.now };
        }
        self.happen(index, which, Happening::Retire, None, turn);
    }
}
