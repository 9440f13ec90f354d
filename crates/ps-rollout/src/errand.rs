//! What a slot has to do next: a pure function of its runs, its strategy and the stage. Because it looks only at how things
//! are, an executor that takes over goes on where the one before it died.

use crate::life::Life;
use crate::outcome::Failure;
use crate::seat::{Kind, Member, Seat, Tenure, Which};
use crate::stage::Stage;
use crate::{Lane, Revision, Rules, Strategy};

/// What a slot has to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    /// Nothing: it has done what the stage asks.
    Settled,
    /// Nothing until it is told something.
    Waits,
    /// Nothing until its new run has lived for the minimum. Clients find that run already, so that no other slot waits for it.
    Matures,
    Start(Revision),
    Admit(Which),
    Retire(Which),
}

impl Seat {
    /// What it has to do next.
    pub(crate) fn errand(&self, rules: &Rules, stage: Stage) -> Errand {
        if stage == Stage::Idle || stage.is_final() {
            return Errand::Settled;
        }
        let errand = match (self.is_stopped, self.is_left_out) {
            (true, _) => self.emptying(),
            (false, true) => self.retire(Which::New).unwrap_or(Errand::Settled),
            (false, false) => self.planned(rules, stage),
        };
        match errand {
            // A run that nobody wrote down may be on any lane: it goes before another comes.
            Errand::Settled | Errand::Start(_) => self.stray_errand().unwrap_or(errand),
            Errand::Waits | Errand::Matures | Errand::Admit(_) | Errand::Retire(_) => errand,
        }
    }

    fn planned(&self, rules: &Rules, stage: Stage) -> Errand {
        match stage {
            Stage::Proving => self.proving(rules.strategy),
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

    /// What is left to do until this run is over; `None`: it is.
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

    fn proving(&self, strategy: Strategy) -> Errand {
        if !self.is_rolled() || strategy == Strategy::StopFirst {
            return Errand::Settled;
        }
        let Some(new) = &self.new else { return Errand::Start(Revision::New) };
        match new.life {
            Life::Ready | Life::Finished if self.is_trial(strategy) => Errand::Retire(Which::New),
            Life::Ready | Life::Finished | Life::Admitting | Life::Serving | Life::Gone => Errand::Settled,
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

    /// Whether the new run only shows that it could live here.
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
        // An old run on the second lane left the slot's own to the new one, which need not move.
        let is_in_place = self.new.as_ref().is_some_and(|new| new.lane == Lane::Own);
        if is_in_place && self.old_life() != Some(Life::Gone) {
            return Errand::Settled;
        }
        let errand = self.retire(Which::Old).unwrap_or_else(|| self.taking_over());
        // That the release lives for its minimum was proven in the trial. That this run does is waited for before the commit alone.
        match (errand, self.new.as_ref()) {
            (Errand::Waits, Some(new)) if new.life == Life::Maturing && rules.is_checked => {
                Errand::Admit(Which::New)
            }
            (Errand::Settled, Some(new)) if new.due.is_some() => Errand::Matures,
            (errand, _) => errand,
        }
    }

    /// The new run in the place of an old one that is over.
    fn taking_over(&self) -> Errand {
        match self.old_life() {
            Some(Life::Remaining) => Errand::Waits,
            Some(_) | None => self.bringing_up(),
        }
    }

    /// The new run until it serves.
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

    /// The old run until it serves as before, or cannot.
    fn returning(&self) -> Errand {
        let has_trouble = self.trouble.is_some();
        match self.old_life() {
            Some(Life::Gone) if self.is_owed() => Errand::Start(Revision::Old),
            // Nobody has said whether it came up, so it is ended rather than left unrecorded.
            Some(Life::Starting) if has_trouble => Errand::Retire(Which::Old),
            // There is nothing that a restart policy could start again.
            Some(Life::Down) if matches!(self.trouble, Some(Failure::Refused(_))) => {
                Errand::Retire(Which::Old)
            }
            // It is not as ready as it should be, but there is none better.
            Some(Life::Probing | Life::Maturing) if has_trouble => Errand::Admit(Which::Old),
            Some(Life::Ready) => Errand::Admit(Which::Old),
            // It lives, and clients cannot be led to it.
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

    /// Whether the old revision is to be started again, and can be: never beside a run that would not end.
    fn is_owed(&self) -> bool {
        let told = matches!(self.tenure, Tenure::ToldToGo { .. });
        let remains = |member: &Member| member.life == Life::Remaining;
        told && !self.new.iter().chain(&self.strays).any(remains)
    }
}
