//! One slot in a rollout: its old run, its new run, and their results.

use std::time::Duration;

use formation::Slot;
use serde::{Deserialize, Serialize};

use crate::life::{Deed, Life};
use crate::outcome::{Failure, Fate};
use crate::plan::Rules;
use crate::{Change, Lane, Present, Revision, Run};

/// A run and its timers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) run: Run,
    pub(crate) lane: Lane,
    pub(crate) life: Life,
    /// When its timer is due: its deadline, or its minimum life.
    pub(crate) due: Option<Duration>,
    /// When it has lived for the minimum time.
    pub(crate) mature: Option<Duration>,
}

/// The change that is planned for a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    Keep,
    Start,
    Stop,
    Replace,
}

/// How far the old run has been replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Tenure {
    /// The old run was not touched, or that has been undone.
    Untouched,
    /// The old run was told to end, so the slot has been without a ready run since then. Time in which clients reached
    /// the new run is left out, by moving `since`.
    ToldToGo { since: Duration },
    /// The old revision is being started again.
    Returning { since: Duration },
    /// The old revision runs again.
    Returned { outage: Duration },
}

/// One of a slot's two runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Old,
    New,
    Stray(usize),
}

/// One slot in a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seat {
    pub(crate) slot: Slot,
    /// The index of the rules of its type.
    pub(crate) rules: usize,
    pub(crate) kind: Kind,
    pub(crate) old: Option<Member>,
    pub(crate) new: Option<Member>,
    /// Runs that were found when an executor took over and that were not recorded.
    pub(crate) strays: Vec<Member>,
    pub(crate) tenure: Tenure,
    /// Since when clients reach the new run.
    #[serde(default)]
    pub(crate) found_since: Option<Duration>,
    pub(crate) is_stopped: bool,
    /// The deadline while the slot waits for another one for which the rollout does nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) held_until: Option<Duration>,
    /// Whether the new run failed while the other slots go on.
    #[serde(default)]
    pub(crate) is_left_out: bool,
    /// The failure before the rollout gave up.
    pub(crate) failure: Option<Failure>,
    /// The failure while the old run was restored.
    pub(crate) trouble: Option<Failure>,
}

impl Seat {
    pub(crate) fn new(slot: Slot, rules: usize, change: &Change) -> Self {
        let (kind, present) = match change {
            Change::Keep(present) => (Kind::Keep, Some(present)),
            Change::Start => (Kind::Start, None),
            Change::Stop(present) => (Kind::Stop, Some(present)),
            Change::Replace(present) => (Kind::Replace, Some(present)),
        };
        let old = present.map(|present| Member::of(&slot, present));
        Self {
            slot,
            rules,
            kind,
            old,
            new: None,
            strays: Vec::new(),
            tenure: Tenure::Untouched,
            found_since: None,
            is_stopped: false,
            held_until: None,
            is_left_out: false,
            failure: None,
            trouble: None,
        }
    }

    pub(crate) fn member(&self, which: Which) -> Option<&Member> {
        match which {
            Which::Old => self.old.as_ref(),
            Which::New => self.new.as_ref(),
            Which::Stray(index) => self.strays.get(index),
        }
    }

    pub(crate) fn member_mut(&mut self, which: Which) -> Option<&mut Member> {
        match which {
            Which::Old => self.old.as_mut(),
            Which::New => self.new.as_mut(),
            Which::Stray(index) => self.strays.get_mut(index),
        }
    }

    /// The runs of the slot.
    pub(crate) fn members(&self) -> impl Iterator<Item = (Which, &Member)> {
        let known = [Which::Old, Which::New].into_iter();
        let all = known.chain((0..self.strays.len()).map(Which::Stray));
        all.filter_map(|which| Some((which, self.member(which)?)))
    }

    pub(crate) fn old_life(&self) -> Option<Life> {
        self.old.as_ref().map(|old| old.life)
    }

    pub(crate) fn new_life(&self) -> Option<Life> {
        self.new.as_ref().map(|new| new.life)
    }

    /// Whether clients reach a run of the slot.
    pub(crate) fn serves(&self) -> bool {
        let serves =
            |member: &Option<Member>| member.as_ref().is_some_and(|member| member.life == Life::Serving);
        serves(&self.old) || serves(&self.new)
    }

    /// Whether the new revision was to be proven in the slot.
    pub(crate) fn is_rolled(&self) -> bool {
        matches!(self.kind, Kind::Start | Kind::Replace)
    }

    /// The lane for a new run: the one that the old run does not use.
    pub(crate) fn free_lane(&self) -> Lane {
        match &self.old {
            Some(old) if old.life != Life::Gone => old.lane.other(),
            Some(_) | None => Lane::Own,
        }
    }

    /// After a change of one of its runs: updates since when clients reach a run.
    pub(crate) fn follow(&mut self, now: Duration) {
        self.follow_new(now);
        let is_serving = self.old_life() == Some(Life::Serving);
        let is_called_back = is_serving || self.old_life() == Some(Life::Admitting);
        // A run that has finished is not started again.
        let has_finished = self.old_life() == Some(Life::Finished);
        self.tenure = match self.tenure {
            Tenure::ToldToGo { .. } if is_called_back || has_finished => Tenure::Untouched,
            Tenure::Returning { since } if is_serving => {
                Tenure::Returned { outage: now.saturating_sub(since) }
            }
            Tenure::Untouched
            | Tenure::ToldToGo { .. }
            | Tenure::Returning { .. }
            | Tenure::Returned { .. } => self.tenure,
        };
    }

    /// While clients reach the new run, the slot does not count as empty.
    fn follow_new(&mut self, now: Duration) {
        let is_found = self.new_life() == Some(Life::Serving);
        if let Some(from) = self.found_since.filter(|_| !is_found) {
            self.tenure = self.tenure.leave_out(from, now);
        }
        self.found_since = is_found.then(|| self.found_since.unwrap_or(now));
    }

    /// For a type that stops first: whether no run lives in the slot that must not live beside a run of this revision.
    pub(crate) fn is_clear_for(&self, revision: Revision) -> bool {
        let is_over = |member: &Option<Member>| member.as_ref().is_none_or(|member| member.life.is_over());
        let is_clear = match revision {
            Revision::New => self.kind == Kind::Keep || is_over(&self.old),
            Revision::Old => is_over(&self.new),
        };
        is_clear && self.strays.iter().all(|stray| stray.life.is_over())
    }

    /// The run for the record of this revision.
    pub(crate) fn filled(&self, revision: Revision) -> Option<&Run> {
        if self.is_stopped {
            return None;
        }
        let member = match (revision, self.kind) {
            (Revision::Old, _) | (Revision::New, Kind::Keep) => self.old.as_ref(),
            (Revision::New, _) if self.is_left_out => self.old.as_ref(),
            (Revision::New, Kind::Start | Kind::Replace) => self.new.as_ref(),
            (Revision::New, Kind::Stop) => None,
        };
        member.filter(|member| member.life != Life::Gone).map(|member| &member.run)
    }

    /// The result for the slot, after the rollout is over.
    pub(crate) fn fate(&self, is_committed: bool) -> Fate {
        if self.is_stopped {
            return Fate::Stopped;
        }
        let as_before = || self.old.as_ref().map_or(Fate::Empty, |old| self.fate_of_old(old));
        match (&self.old, &self.new, self.kind) {
            _ if self.is_left_out => as_before(),
            (Some(old), _, Kind::Stop) if is_committed => Fate::Ended(old.run.clone()),
            (None, Some(new), _) if is_committed => Fate::Started(new.run.clone()),
            (Some(old), Some(new), _) if is_committed => {
                Fate::Replaced { old: old.run.clone(), new: new.run.clone() }
            }
            (Some(_) | None, Some(_) | None, _) => as_before(),
        }
    }

    fn fate_of_old(&self, old: &Member) -> Fate {
        let run = old.run.clone();
        match (self.tenure, old.life) {
            (Tenure::Untouched, Life::Gone) | (_, Life::Finished) => Fate::Ended(run),
            (Tenure::Untouched, _) => Fate::Kept(run),
            (Tenure::Returned { outage }, _) => Fate::Restarted { run, outage: Some(outage) },
            (Tenure::ToldToGo { .. }, _) | (Tenure::Returning { .. }, Life::Gone) => Fate::Lost,
            (Tenure::Returning { .. }, _) => Fate::Restarted { run, outage: None },
        }
    }
}

impl Tenure {
    /// The next state if the old revision is started again at `now`.
    pub(crate) fn returning(self, now: Duration) -> Self {
        match self {
            Self::ToldToGo { since } => Self::Returning { since },
            Self::Untouched | Self::Returning { .. } | Self::Returned { .. } => {
                Self::Returning { since: now }
            }
        }
    }

    /// The same state, without the time between `from` and `now`, in which clients reached another run.
    fn leave_out(self, from: Duration, now: Duration) -> Self {
        let later = |since: Duration| since + now.saturating_sub(from.max(since));
        match self {
            Self::ToldToGo { since } => Self::ToldToGo { since: later(since) },
            Self::Returning { since } => Self::Returning { since: later(since) },
            Self::Untouched | Self::Returned { .. } => self,
        }
    }

    /// The same state after a reboot: the time `origin` of the old clock is `now`.
    pub(crate) fn restart_clock(self, origin: Duration, now: Duration) -> Self {
        let since_then = |since| now.saturating_sub(origin.saturating_sub(since));
        match self {
            Self::ToldToGo { since } => Self::ToldToGo { since: since_then(since) },
            Self::Returning { since } => Self::Returning { since: since_then(since) },
            Self::Untouched | Self::Returned { .. } => self,
        }
    }
}

impl Member {
    /// Sets the next state of the run, and the timer that belongs to it.
    pub(crate) fn set(&mut self, life: Life, deed: Deed, now: Duration, rules: Rules) {
        if deed == Deed::Probe {
            // The deadline begins now and not when the start was ordered, because other runs may have been started first.
            self.due = Some(now + rules.deadline);
            self.mature = Some(now + rules.minimum_life);
        }
        if life == Life::Maturing {
            self.due = self.mature;
        }
        if !life.is_coming() || deed == Deed::Fail {
            self.due = None;
        }
        // Clients are led to the run before it has lived for the minimum time.
        if matches!(life, Life::Admitting | Life::Serving) && deed != Deed::Fail {
            self.due = self.mature.filter(|mature| *mature > now);
        }
        self.life = life;
    }

    /// The deadline, if it has one now, is not before `until`.
    pub(crate) fn extend(&mut self, until: Duration) {
        if matches!(self.life, Life::Starting | Life::Probing) {
            self.due = self.due.map(|due| due.max(until));
        }
    }

    fn of(slot: &Slot, present: &Present) -> Self {
        let run = Run { slot: slot.clone(), number: present.number };
        let life = if present.is_up { Life::Serving } else { Life::Down };
        Self { run, lane: present.lane, life, due: None, mature: None }
    }
}
