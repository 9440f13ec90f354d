//! The scheduled runs of an app, and what is done each time the clock is checked: which runs begin, which end, and
//! which messages are printed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use formation::{AppName, Formation, ProcessType, Quantity};
use futures_util::future::AbortHandle;
use jiff::Timestamp;
use ps_engine::{Container, Fault};
use ps_release::Release;
use timetable::{Due, Timetable};
use type_settings::{Missed, Overlap};

use crate::schedule_file::Scheduled;
use crate::{cron, label};

/// A change of the system clock, and a release that starts no container, are noticed after this long at the latest.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// How many runs of a type may exist at the same time.
const MOST_AT_ONCE: usize = 16;

/// The scheduled types of an app.
pub(crate) struct Clock {
    pub(crate) release: Release,
    pub(crate) types: BTreeMap<ProcessType, Timetable>,
    /// Wakes the watch when something is due.
    pub(crate) alarm: Option<AbortHandle>,
    /// Whether it still has to be checked whether an earlier watch died while a run was due.
    pub(crate) is_new: bool,
    /// The types whose next run waits for the end of a run that was told to end.
    next_up: BTreeSet<ProcessType>,
    /// The types whose containers are being made.
    pub(crate) beginning: BTreeSet<ProcessType>,
    /// Containers that were told to end.
    pub(crate) ending: BTreeSet<String>,
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.alarm.iter().for_each(AbortHandle::abort);
    }
}

/// The containers that were started for a due time of a type.
pub(crate) struct Begun {
    pub(crate) app: AppName,
    pub(crate) process_type: ProcessType,
    pub(crate) result: Result<(), Fault>,
}

/// The state of an app at a look.
#[derive(Clone, Copy)]
pub(crate) struct Now {
    pub(crate) time: Timestamp,
    /// Whether the whole app was stopped by hand.
    pub(crate) is_stopped: bool,
    /// Whether it is the first look.
    pub(crate) is_first: bool,
}

/// The actions for one type.
#[derive(Default)]
pub(crate) struct Turn {
    /// Start runs for this due time.
    pub(crate) begins: Option<Timestamp>,
    /// End these containers.
    pub(crate) ends: Vec<String>,
    /// What happened to the type, for people.
    pub(crate) said: Vec<String>,
}

impl Clock {
    pub(crate) fn new(release: &Release) -> Self {
        Self {
            release: release.clone(),
            types: BTreeMap::new(),
            alarm: None,
            is_new: true,
            next_up: BTreeSet::new(),
            beginning: BTreeSet::new(),
            ending: BTreeSet::new(),
        }
    }

    pub(crate) fn wanted(&self, formation: &Formation) -> Vec<(ProcessType, Timetable, u16)> {
        let formation = self.release.with_tasks(formation);
        let count = |name: &ProcessType| formation.get(name.as_str()).map_or(0, Quantity::get);
        let all = self.types.iter();
        all.map(|(name, timetable)| (name.clone(), timetable.clone(), count(name))).collect()
    }

    pub(crate) fn turn(
        &mut self,
        (process_type, timetable): (&ProcessType, &Timetable),
        scheduled: &mut Scheduled,
        mine: &[&Container],
        now: Now,
    ) -> Turn {
        let mut turn = Turn::default();
        let running: Vec<&Container> =
            mine.iter().filter(|container| container.may_serve()).copied().collect();
        let is_late = |container: &&&Container| {
            let is_over = cron::time_left(container).is_some_and(|left| left.is_zero());
            is_over && label::is_cron(container) && !self.ending.contains(&container.id)
        };
        for late in running.iter().filter(is_late) {
            turn.ends.push(late.id.clone());
            turn.said.push(format!("run-timeout: it {}", self.release.overdue(process_type)));
        }
        if now.is_first {
            resume(timetable, scheduled, mine, now.time);
        }
        let due = scheduled.course.look(timetable, now.time);
        if now.is_stopped || scheduled.quantity == 0 {
            self.next_up.remove(process_type);
            scheduled.course.settle();
            return turn;
        }
        let is_running = !running.is_empty() || self.beginning.contains(process_type);
        match due {
            Due::NotYet if !is_running && self.next_up.remove(process_type) => {
                turn.begins = Some(scheduled.course.owed().unwrap_or(now.time));
            }
            Due::NotYet => (),
            Due::Run(time) => self.fire(process_type, scheduled, (&running, is_running, time), &mut turn),
            Due::Missed(time) => {
                let is_made_up = self.release.settings(process_type).schedule_missed == Some(Missed::RunOnce);
                let then = if is_made_up { "it is made up for now" } else { "nothing ran for it" };
                turn.said
                    .push(format!("{time} was missed (the clock passed over it, or nobody watched): {then}"));
                if is_made_up {
                    self.fire(process_type, scheduled, (&running, is_running, time), &mut turn);
                }
            }
        }
        turn
    }

    fn fire(
        &mut self,
        process_type: &ProcessType,
        scheduled: &mut Scheduled,
        (running, is_running, time): (&[&Container], bool, Timestamp),
        turn: &mut Turn,
    ) {
        let overlap = self.release.settings(process_type).schedule_overlap.unwrap_or_default();
        match overlap {
            _ if !is_running => turn.begins = Some(time),
            Overlap::Allow if running.len() < MOST_AT_ONCE => turn.begins = Some(time),
            Overlap::Replace => {
                // The run stays due until the other one has ended.
                self.next_up.insert(process_type.clone());
                let others = running.iter().filter(|container| !self.ending.contains(&container.id));
                turn.ends.extend(others.map(|container| container.id.clone()));
            }
            Overlap::Allow | Overlap::Forbid => {
                scheduled.course.settle();
                let what = "a run that was due was left out, because the one before still ran";
                turn.said.push(what.to_owned());
            }
        }
    }
}

/// Continues after an earlier watch: a run that was due and was not begun is due again, and a run that has a container was begun.
fn resume(timetable: &Timetable, scheduled: &mut Scheduled, mine: &[&Container], now: Timestamp) {
    scheduled.course.resume();
    let next = scheduled.course.next().map(Timestamp::as_second);
    let is_begun =
        |container: &&Container| next.is_some() && label::due(container) == next && !container.is_new;
    if mine.iter().any(is_begun) {
        scheduled.course.pass(timetable, now);
    }
}
