//! A rollout in the hands of a supervisor. `ps-rollout` decides; what it wants is written down in `rollout.json` before it is
//! done, so that a supervisor that is killed at any step is succeeded by one that goes on there. What is done about a slot is not
//! known here (`supervisor::rollout`).
//!
//! The file is not synced. After a power loss no run of the app lives, and whether it has the old revision or the new one
//! is what the spec says, which is synced.

mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use durable::ReadError;
use formation::Slot;
use ps_rollout::{Action, Change, Event, Plan, Present, Rollout, Rules, TypePlan};
use rustix::time::ClockId;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::layout::MAX_FILE_BYTES;
use crate::revision::{self, Next};
use crate::spec::Spec;
use crate::status::Status;
pub use report::{Report, Stage};

const ROLLOUT_FILE: &str = "rollout.json";
const FORMAT: u32 = 1;
/// How long a run may take to say that it has missed its own deadline.
const SPEAKS_FIRST: Duration = Duration::from_secs(2);

/// A rollout that this supervisor carries out, or that is over.
#[derive(Debug)]
pub(crate) struct Carried {
    /// What the app is to get.
    pub(crate) next: Next,
    /// The slots that are to get a new run.
    pub(crate) fresh: BTreeSet<Slot>,
    /// Whether what follows from its end has been done.
    pub(crate) is_concluded: bool,
    rollout: Rollout,
    heard: Vec<Event>,
    failed: Vec<Status>,
    unwritten: Option<String>,
    /// What it was doing, and whether it was over, when that was told last.
    told: Option<(Stage, bool)>,
}

/// The file.
#[derive(Serialize, Deserialize)]
struct Written {
    format: u32,
    fresh: BTreeSet<Slot>,
    rollout: Rollout,
    #[serde(default)]
    failed: Vec<Status>,
    #[serde(default)]
    unwritten: Option<String>,
}

/// What of an earlier supervisor's rollout is left.
#[derive(Debug)]
pub(crate) enum Left {
    /// Nothing.
    Nothing,
    /// All of it.
    Rollout(Box<Carried>),
    /// Something that nobody can go on with: it makes no sense, or a later version wrote it.
    Unreadable,
}

/// What has come of an order to roll.
#[derive(Debug)]
pub(crate) struct Order {
    /// The slots that are to get a new run.
    pub(crate) fresh: BTreeSet<Slot>,
    /// What fills each slot now, or is in the hands of its restart policy.
    pub(crate) present: BTreeMap<Slot, Present>,
    /// The lowest number that no run of the app has had.
    pub(crate) next_number: u64,
}

impl Carried {
    /// A rollout that is about to begin.
    ///
    /// # Errors
    /// It cannot be written down; then nothing has happened.
    pub(crate) fn new(service: &Path, next: Next, order: Order) -> io::Result<Self> {
        let rollout = Rollout::new(&plan(&next, &order));
        let written =
            Written { format: FORMAT, fresh: order.fresh, rollout, failed: Vec::new(), unwritten: None };
        let mut carried = Self::of(next, written);
        carried.write(service)?;
        carried.hear(Event::Begin);
        Ok(carried)
    }

    fn of(next: Next, written: Written) -> Self {
        let Written { fresh, rollout, failed, unwritten, .. } = written;
        let heard = Vec::new();
        Self { next, fresh, is_concluded: false, rollout, heard, failed, unwritten, told: None }
    }

    /// What an earlier supervisor of a service directory has left; `spec` is that of the directory, which is the next one if
    /// that has been committed already.
    pub(crate) fn left(service: &Path, spec: &Spec) -> Left {
        let bytes = match durable::state(&service.join(ROLLOUT_FILE), MAX_FILE_BYTES) {
            Err(ReadError::Missing) => return Left::Nothing,
            Err(_) => return Left::Unreadable,
            Ok(bytes) => bytes,
        };
        match serde_json::from_slice::<Written>(&bytes) {
            Ok(written) if written.format <= FORMAT => {
                let committed = || Next { spec: spec.clone(), rolling: BTreeMap::new() };
                let next = Next::read(service).unwrap_or_else(|_| committed());
                Left::Rollout(Box::new(Self::of(next, written)))
            }
            Ok(_) | Err(_) => Left::Unreadable,
        }
    }

    /// Takes in that something happened. What follows is asked for with [`Carried::decide`], once for all that has happened.
    pub(crate) fn hear(&mut self, event: Event) {
        self.heard.push(event);
    }

    /// What is to be done about everything that has happened since this was last asked, written down already. Nothing has
    /// happened: nothing, unless time has passed.
    ///
    /// On a disk that takes no record the rollout is put back, which is then done without one: a full disk keeps nothing alive
    /// that is to end, and keeps nothing down that is to run.
    ///
    /// `next_number` is the lowest that no run of the app has had.
    pub(crate) fn decide(&mut self, service: &Path, next_number: u64) -> Vec<Action> {
        let now = now();
        self.rollout.pass_numbers_below(next_number);
        if self.rollout.due().is_some_and(|due| due <= now) {
            self.heard.push(Event::Tick);
        }
        let was_over = self.is_over();
        let mut actions: Vec<Action> = Vec::new();
        for event in std::mem::take(&mut self.heard) {
            actions.extend(self.rollout.handle(event, now));
        }
        if actions.is_empty() && was_over == self.is_over() {
            return actions;
        }
        if let Err(error) = self.write(service)
            && self.unwritten.is_none()
        {
            self.unwritten = Some(format!("write {}: {error}", service.join(ROLLOUT_FILE).display()));
            actions.extend(self.rollout.handle(Event::Cancel, now));
        }
        actions
    }

    fn write(&self, service: &Path) -> io::Result<()> {
        let written = Written {
            format: FORMAT,
            fresh: self.fresh.clone(),
            rollout: self.rollout.clone(),
            failed: self.failed.clone(),
            unwritten: self.unwritten.clone(),
        };
        let json = serde_json::to_vec(&written).expect("a rollout is plain data");
        durable::replace(service, ROLLOUT_FILE, &json)
    }

    /// Whether nothing more will come of it.
    pub(crate) fn is_over(&self) -> bool {
        self.rollout.outcome().is_some()
    }

    /// A person has stopped these: the new revision leaves them empty as well.
    ///
    /// # Errors
    /// That cannot be written down.
    pub(crate) fn stop(&mut self, service: &Path, slots: &[Slot]) -> Result<(), Error> {
        for slot in slots {
            self.heard.push(Event::Stopped(slot.clone()));
        }
        let known = &self.next.spec.stopped;
        let new: Vec<Slot> = slots.iter().filter(|slot| !known.contains(slot)).cloned().collect();
        self.next.spec.stopped.extend(new);
        if self.is_over() { Ok(()) } else { self.next.write_again(service) }
    }

    /// Keeps what is known of a new run that has failed, for whoever is told why.
    pub(crate) fn note_failed(&mut self, status: Status) {
        if !self.failed.iter().any(|failed| failed.slot == status.slot) {
            self.failed.push(status);
        }
    }

    /// Whether no new run is known to have failed.
    pub(crate) fn has_nothing_failed(&self) -> bool {
        self.failed.is_empty()
    }

    /// When it is to be looked at again, at the latest.
    pub(crate) fn due(&self) -> Option<Instant> {
        let clock = (Instant::now(), now());
        self.rollout.due().map(|due| clock.0 + due.saturating_sub(clock.1))
    }

    /// How it goes, if what it does is another thing than when this was last asked.
    pub(crate) fn take_news(&mut self) -> Option<Report> {
        let report = self.report();
        let now = (report.stage, report.outcome.is_some());
        let is_news = self.told.replace(now) != Some(now);
        is_news.then_some(report)
    }

    /// How it goes, for whoever watches.
    pub(crate) fn report(&self) -> Report {
        Report {
            revision: self.next.spec.revision,
            stage: self.rollout.state().into(),
            outcome: self.rollout.outcome(),
            failed: self.failed.clone(),
            unwritten: self.unwritten.clone(),
        }
    }
}

/// Whether a rollout of a service directory is under way, or is over and nobody was told yet.
pub fn is_rolling(service: &Path) -> bool {
    service.join(ROLLOUT_FILE).exists()
}

/// Removes what is written of a rollout that is over, or that nobody can go on with.
pub(crate) fn forget(service: &Path) {
    // Where it stays, the next supervisor finds that it is over.
    let _ = fs::remove_file(service.join(ROLLOUT_FILE));
    let _ = revision::withdraw(service);
}

/// Now, on the clock of rollouts: the time since the machine was started, whoever asks.
fn now() -> Duration {
    let now = rustix::time::clock_gettime(ClockId::Boottime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs().try_into().unwrap_or(0))
}

/// The rules of a type. A run that has a deadline of its own says best what it has not done by then: it is let speak first.
fn rules(rules: Rules, has_own: bool) -> Rules {
    let patience = if has_own { SPEAKS_FIRST } else { Duration::ZERO };
    Rules { deadline: rules.deadline.saturating_add(patience), ..rules }
}

/// What becomes of each slot. What is there decides: there is nothing to replace in an empty slot.
fn plan(next: &Next, order: &Order) -> Plan {
    let wanted: BTreeSet<Slot> = next.spec.wanted().into_iter().collect();
    let mut types: BTreeMap<_, TypePlan> = BTreeMap::new();
    let filled = order.present.keys().cloned();
    for slot in wanted.iter().cloned().chain(filled).collect::<BTreeSet<Slot>>() {
        let Some(manner) = next.rolling.get(slot.process_type.as_str()) else { continue };
        let present = order.present.get(&slot).cloned();
        let change = match (wanted.contains(&slot), order.fresh.contains(&slot), present) {
            (true, true, Some(present)) => Change::Replace(present),
            (true, true, None) => Change::Start,
            (true, false, Some(present)) => Change::Keep(present),
            (false, _, Some(present)) => Change::Stop(present),
            (true, false, None) | (false, _, None) => continue,
        };
        let has_own = next.spec.process(&slot.process_type).is_some_and(|process| process.health.is_some());
        let planned = TypePlan { rules: rules(manner.rules, has_own), slots: BTreeMap::new() };
        types.entry(slot.process_type).or_insert(planned).slots.insert(slot.index, change);
    }
    Plan { types, next_number: order.next_number }
}

#[cfg(test)]
mod tests;
