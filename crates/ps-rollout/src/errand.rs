//! The next step of a slot: a pure function of its runs, its strategy and the stage. It depends on the present state alone, so
//! an executor that takes over continues where the dead one was.

use crate::life::Life;
use crate::outcome::Failure;
use crate::seat::{Kind, Member, Seat, Tenure, Which};
use crate::stage::Stage;
use crate::{Lane, Revision, Rules, Strategy};

/// The next step of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    /// Nothing: the slot has done what the stage asks.
    Settled,
    /// Nothing until the next event.
    Waits,
    /// Nothing until the new run has lived for the minimum time. Its checks have succeeded, so other slots need not wait for it.
    Matures,
    Start(Revision),
    Admit(Which),
    Retire(Which),
}

impl Seat {
    /// The next errand of the slot. `comes_early`: see [`crate::order::Place`].
    pub(crate) fn errand(&self, rules: &Rules, stage: Stage, comes_early: bool) -> Errand {
        if stage == Stage::Idle || stage.is_final() {
            return Errand::Settled;
        }
        let errand = match (self.is_stopped, self.is_left_out) {
            (true, _) => self.emptying(),
            (false, true) => self.retire(Which::New).unwrap_or(Errand::Settled),
            (false, false) => self.planned(rules, stage, comes_early),
        };
        match errand {
            // A run that is not in the record may be on either lane, so it is ended before another one is started.
            Errand::Settled | Errand::Start(_) => self.stray_errand().unwrap_or(errand),
            Errand::Waits | Errand::Matures | Errand::Admit(_) | Errand::Retire(_) => errand,
        }
    }

    fn planned(&self, rules: &Rules, stage: Stage, comes_early: bool) -> Errand {
        match stage {
            Stage::Proving => self.proving(rules, comes_early),
            Stage::StoppingFirst => self.stopping_first(rules.strategy),
            Stage::Moving => self.moving(rules),
            Stage::Admitting => self.admitting(),
            Stage::Retiring => self.retiring(),
            Stage::PuttingBack => self.putting_back(),
            Stage::Idle
            | Stage::Committing
            | Stage::Committed
            | Stage::Restoring
            | Stage::Clearing
            | Stage::Failed => Errand::Settled,
        }
    }

    fn stray_errand(&self) -> Option<Errand> {
        (0..self.strays.len()).find_map(|index| self.retire(Which::Stray(index)))
    }

    /// The next step to end this run; `None` if it is over.
    fn retire(&self, which: Which) -> Option<Errand> {
        match self.member(which)?.life {
            Life::Gone | Life::Remaining => None,
            Life::Withdrawing | Life::Ending => Some(Errand::Waits),
            Life::Starting
            | Life::Probing
            | Life::Maturing
            | Life::Ready
            | Life::Admitting
            | Life::Serving
            | Life::Down
            | Life::Finished => Some(Errand::Retire(which)),
        }
    }

    fn emptying(&self) -> Errand {
        self.retire(Which::New).or_else(|| self.retire(Which::Old)).unwrap_or(Errand::Settled)
    }

    fn proving(&self, rules: &Rules, comes_early: bool) -> Errand {
        let strategy = rules.strategy;
        if !self.is_rolled() || (strategy == Strategy::StopFirst && !comes_early) {
            return Errand::Settled;
        }
        let Some(new) = &self.new else { return Errand::Start(Revision::New) };
        match new.life {
            Life::Ready | Life::Finished if self.is_trial(strategy) => Errand::Retire(Which::New),
            Life::Ready | Life::Finished | Life::Admitting | Life::Serving | Life::Gone => Errand::Settled,
            // A maturing trial still uses the machine, so other slots wait for it. A run beside the old one stays in any case.
            Life::Maturing if rules.is_checked && strategy == Strategy::Overlap => Errand::Matures,
            Life::Starting
            | Life::Probing
            | Life::Maturing
            | Life::Withdrawing
            | Life::Ending
            // These two are failures, and the stage is about to change.
            | Life::Down
            | Life::Remaining => Errand::Waits,
        }
    }

    /// Whether the new run is a trial, which ends once it has shown that it can live.
    fn is_trial(&self, strategy: Strategy) -> bool {
        let on_second = self.new.as_ref().is_some_and(|new| new.lane == Lane::Second);
        strategy == Strategy::OneByOne && self.kind == Kind::Replace && on_second
    }

    fn stopping_first(&self, strategy: Strategy) -> Errand {
        match (strategy, self.kind) {
            (Strategy::Overlap | Strategy::OneByOne, _) | (Strategy::StopFirst, Kind::Keep) => {
                Errand::Settled
            }
            (Strategy::StopFirst, Kind::Stop) => self.retire(Which::Old).unwrap_or(Errand::Settled),
            (Strategy::StopFirst, Kind::Start) => self.bringing_up(),
            (Strategy::StopFirst, Kind::Replace) => {
                self.retire(Which::Old).unwrap_or_else(|| self.taking_over())
            }
        }
    }

    fn moving(&self, rules: &Rules) -> Errand {
        if rules.strategy != Strategy::OneByOne || self.kind != Kind::Replace {
            return Errand::Settled;
        }
        // If the old run was on the second lane, the new one started on the slot's own lane and need not move.
        let is_in_place = self.new.as_ref().is_some_and(|new| new.lane == Lane::Own);
        if is_in_place && self.old_life() != Some(Life::Gone) {
            return Errand::Settled;
        }
        let errand = self.retire(Which::Old).unwrap_or_else(|| self.taking_over());
        // The trial has proven that the release lives for its minimum time. So this run has to mature only before the commit.
        match (errand, self.new.as_ref()) {
            (Errand::Waits, Some(new)) if new.life == Life::Maturing && rules.is_checked => {
                Errand::Admit(Which::New)
            }
            (Errand::Settled, Some(new)) if new.due.is_some() => Errand::Matures,
            (errand, _) => errand,
        }
    }

    /// The next step of the new run after the old one has ended.
    fn taking_over(&self) -> Errand {
        match self.old_life() {
            Some(Life::Remaining) => Errand::Waits,
            Some(_) | None => self.bringing_up(),
        }
    }

    /// The next step of the new run until it serves clients.
    fn bringing_up(&self) -> Errand {
        match self.new_life() {
            None | Some(Life::Gone) => Errand::Start(Revision::New),
            Some(Life::Ready) => Errand::Admit(Which::New),
            Some(Life::Serving | Life::Finished) => Errand::Settled,
            Some(
                Life::Starting
                | Life::Probing
                | Life::Maturing
                | Life::Admitting
                | Life::Withdrawing
                | Life::Ending
                | Life::Remaining
                | Life::Down,
            ) => Errand::Waits,
        }
    }

    fn admitting(&self) -> Errand {
        if self.is_rolled() { self.bringing_up() } else { Errand::Settled }
    }

    fn retiring(&self) -> Errand {
        match self.kind {
            Kind::Keep | Kind::Start => Errand::Settled,
            Kind::Stop | Kind::Replace => self.retire(Which::Old).unwrap_or(Errand::Settled),
        }
    }

    fn putting_back(&self) -> Errand {
        if self.old_life() == Some(Life::Withdrawing) {
            return Errand::Admit(Which::Old);
        }
        self.retire(Which::New).unwrap_or_else(|| self.returning())
    }

    /// The next step of the old run until it serves clients as before, or cannot.
    fn returning(&self) -> Errand {
        let has_trouble = self.trouble.is_some();
        match self.old_life() {
            Some(Life::Gone) if self.is_owed() => Errand::Start(Revision::Old),
            // It is not known whether the run has started. It is ended, because otherwise a process might run that no record
            // has.
            Some(Life::Starting) if has_trouble => Errand::Retire(Which::Old),
            // The run never started, so no restart policy can start it again.
            Some(Life::Down) if matches!(self.trouble, Some(Failure::Refused(_))) => {
                Errand::Retire(Which::Old)
            }
            // The run is not as ready as it should be, but there is no better one.
            Some(Life::Probing | Life::Maturing) if has_trouble => Errand::Admit(Which::Old),
            Some(Life::Ready) => Errand::Admit(Which::Old),
            // The run lives, but clients cannot be led to it.
            Some(Life::Admitting) if matches!(self.trouble, Some(Failure::NotAdmitted(_))) => Errand::Settled,
            Some(
                Life::Starting
                | Life::Probing
                | Life::Maturing
                | Life::Admitting
                | Life::Withdrawing
                | Life::Ending,
            ) => Errand::Waits,
            None | Some(Life::Serving | Life::Remaining | Life::Gone | Life::Down | Life::Finished) => {
                Errand::Settled
            }
        }
    }

    /// Whether the old revision has to be started again. It is not started beside a run that could not be ended.
    fn is_owed(&self) -> bool {
        let told = matches!(self.tenure, Tenure::ToldToGo { .. });
        let remains = |member: &Member| member.life == Life::Remaining;
        told && !self.new.iter().chain(&self.strays).any(remains)
    }
}
