//! A rollout that a supervisor carries out. `ps-rollout` decides each step. The step is written to `rollout.json`
//! before it is taken, so that if the supervisor is killed, the next one continues from there. How a step changes a
//! slot is implemented in `supervisor::rollout`.
//!
//! The file is not synced. After a power failure no run of the app lives, and the spec, which is synced, says whether
//! the app has the old or the new revision.

mod compared;
mod comparison;
mod decided;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::num::NonZeroU16;
use std::path::Path;
use std::time::{Duration, Instant};

use balance::Receipt;
use durable::ReadError;
use formation::{RestartReason, Slot};
use ps_rollout::{
    Action, Change, Event, Finding, Outcome, Plan, Present, Rollout, Rules, Run, Strategy, TypePlan,
};
use rustix::time::ClockId;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::diary::Decision;
use crate::health::{Health, Ready, SPEAKS_FIRST};
use crate::layout::MAX_FILE_BYTES;
use crate::revision::{self, Next};
use crate::spec::Spec;
use crate::status::Status;
pub(crate) use comparison::{Comparison, Step};
pub use report::{Report, Stage};

/// The file that a rollout is written to, in a service directory.
pub const ROLLOUT_FILE: &str = "rollout.json";
const FORMAT: u32 = 1;

/// A rollout that is in progress, or whose outcome was not reported yet.
#[derive(Debug)]
pub(crate) struct Carried {
    /// The new revision.
    pub(crate) next: Next,
    /// The slots that get a new run.
    pub(crate) fresh: BTreeSet<Slot>,
    /// Why its slots are started again, if no person asked for it.
    pub(crate) reason: Option<RestartReason>,
    /// Whether the steps after its end have been taken.
    pub(crate) is_concluded: bool,
    /// Runs with this number and higher ones came in by it.
    pub(crate) first_number: u64,
    /// Whether the connections that it concerned have been counted, which is the last step before it is over.
    pub(crate) is_counted: bool,
    /// What it has meant for clients; `None`: the app has no address.
    pub(crate) receipt: Option<Receipt>,
    /// How the new revision is compared with the old one, if it is.
    pub(crate) comparison: Option<Comparison>,
    /// Whether it has changed since it was written.
    has_compared: bool,
    rollout: Rollout,
    heard: Vec<Event>,
    /// What was decided and is not recorded yet.
    decided: Vec<Decision>,
    failed: Vec<Status>,
    unwritten: Option<String>,
    /// The stage, and whether it was over, in the last report.
    told: Option<(Stage, bool, Option<Finding>)>,
}

/// The content of `rollout.json`.
#[derive(Serialize, Deserialize)]
struct Written {
    format: u32,
    fresh: BTreeSet<Slot>,
    rollout: Rollout,
    #[serde(default)]
    failed: Vec<Status>,
    #[serde(default)]
    unwritten: Option<String>,
    #[serde(default)]
    first_number: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<RestartReason>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    comparison: Option<Comparison>,
}

/// A rollout of an earlier supervisor.
#[derive(Debug)]
pub(crate) enum Left {
    /// No rollout is in progress.
    Nothing,
    /// It can be continued.
    Rollout(Box<Carried>),
    /// It cannot be continued: the file is damaged, or a later version wrote it.
    Unreadable,
}

/// What a rollout starts from.
#[derive(Debug)]
pub(crate) struct Order {
    /// The slots that get a new run.
    pub(crate) fresh: BTreeSet<Slot>,
    /// The run that fills each slot now, or that its restart policy is about to start.
    pub(crate) present: BTreeMap<Slot, Present>,
    /// The lowest number that no run of the app has had.
    pub(crate) next_number: u64,
    /// Why they get it, if no person asked for it.
    pub(crate) reason: Option<RestartReason>,
}

impl Carried {
    /// Begins a rollout.
    ///
    /// # Errors
    /// It cannot be written to disk. Nothing has changed then.
    #[inline(never)]
    pub(crate) fn new(service: &Path, next: Next, order: Order) -> io::Result<Self> {
        let comparison = compare(&next, &order);
        let rollout = Rollout::new(&plan(&next, &order, comparison.as_ref()));
        let (failed, unwritten, first_number) = (Vec::new(), None, order.next_number);
        let (format, fresh, reason) = (FORMAT, order.fresh, order.reason);
        let written = Written { format, fresh, rollout, failed, unwritten, first_number, reason, comparison };
        let mut carried = Self::of(next, written);
        carried.write(service)?;
        carried.hear(Event::Begin);
        Ok(carried)
    }

    fn of(next: Next, written: Written) -> Self {
        let Written { fresh, rollout, failed, unwritten, first_number, reason, comparison, .. } = written;
        let (is_concluded, is_counted, receipt, has_compared, heard, told) = Default::default();
        Self {
            next,
            fresh,
            reason,
            is_concluded,
            first_number,
            is_counted,
            receipt,
            comparison,
            has_compared,
            decided: vec![Decision::Rollout { rollout: Box::new(rollout.clone()) }],
            rollout,
            heard,
            failed,
            unwritten,
            told,
        }
    }

    /// The rollout of an earlier supervisor of this service directory. `spec` is the directory's spec: that of the new
    /// revision if it has been committed already.
    pub(crate) fn left(service: &Path, spec: &Spec) -> Left {
        let bytes = match durable::state(&service.join(ROLLOUT_FILE), MAX_FILE_BYTES) {
            Err(ReadError::Missing) => return Left::Nothing,
            Err(_) => return Left::Unreadable,
            Ok(bytes) => bytes,
        };
        match serde_json::from_slice::<Written>(&bytes) {
            Ok(written) if written.format <= FORMAT => {
                let committed = || Next { spec: spec.clone(), rolling: BTreeMap::new(), canary: None };
                let next = Next::read(service).unwrap_or_else(|_| committed());
                let mut carried = Self::of(next, written);
                carried.comparison.iter_mut().for_each(Comparison::resume);
                Left::Rollout(Box::new(carried))
            }
            Ok(_) | Err(_) => Left::Unreadable,
        }
    }

    /// Adds an event. [`Carried::decide`] then decides what follows from all that were added.
    pub(crate) fn hear(&mut self, event: Event) {
        let event = match &mut self.comparison {
            Some(comparison) => comparison.pass_on(event),
            None => Some(event),
        };
        self.heard.extend(event);
    }

    /// The actions that follow from the events since the last call and from the time that has passed. They have been
    /// recorded when this returns.
    ///
    /// If the record cannot be written, because the disk is full, the rollout is undone, and that is done without a record.
    /// A full disk must neither keep a process alive that is to end nor prevent one from running again.
    ///
    /// `next_number` is the lowest number that no run of the app has had.
    pub(crate) fn decide(&mut self, service: &Path, next_number: u64) -> Vec<Action> {
        let now = now();
        self.rollout.pass_numbers_below(next_number);
        if self.rollout.due().is_some_and(|due| due <= now) {
            self.heard.push(Event::Tick);
        }
        let was_decided = self.is_decided();
        let mut actions: Vec<Action> = Vec::new();
        for event in std::mem::take(&mut self.heard) {
            actions.extend(self.handle(event, next_number, now));
        }
        let has_compared = std::mem::take(&mut self.has_compared);
        if actions.is_empty() && was_decided == self.is_decided() && !has_compared {
            return actions;
        }
        if let Err(error) = self.write(service)
            && self.unwritten.is_none()
        {
            self.unwritten = Some(format!("write {}: {error}", service.join(ROLLOUT_FILE).display()));
            actions.extend(self.handle(Event::Cancel, next_number, now));
        }
        actions
    }

    fn write(&self, service: &Path) -> io::Result<()> {
        let written = Written {
            reason: self.reason,
            format: FORMAT,
            fresh: self.fresh.clone(),
            rollout: self.rollout.clone(),
            failed: self.failed.clone(),
            unwritten: self.unwritten.clone(),
            first_number: self.first_number,
            comparison: self.comparison.clone(),
        };
        let json = serde_json::to_vec(&written).expect("a rollout is plain data");
        durable::refresh(service, ROLLOUT_FILE, &json)
    }

    /// Whether the rollout has come to its end.
    pub(crate) fn is_over(&self) -> bool {
        self.is_decided() && self.is_counted
    }

    /// Whether all runs are where they are to be.
    pub(crate) fn is_decided(&self) -> bool {
        self.rollout.outcome().is_some()
    }

    /// Whether clients were led to this run when it was written down.
    pub(crate) fn is_served(&self, run: &Run) -> bool {
        self.rollout.is_served(run)
    }

    /// A person has stopped these slots, so the new revision leaves them empty as well.
    ///
    /// # Errors
    /// That cannot be recorded.
    pub(crate) fn stop(&mut self, service: &Path, slots: &[Slot]) -> Result<(), Error> {
        for slot in slots {
            self.heard.push(Event::Stopped(slot.clone()));
        }
        let known = &self.next.spec.stopped;
        let new: Vec<Slot> = slots.iter().filter(|slot| !known.contains(slot)).cloned().collect();
        self.next.spec.stopped.extend(new);
        if self.is_over() { Ok(()) } else { self.next.write_again(service) }
    }

    /// Whether the new revision leaves this slot empty because a person has stopped it.
    pub(crate) fn leaves_empty(&self, slot: &Slot) -> bool {
        self.next.spec.stopped.contains(slot)
    }

    /// Remembers the status of a new run that failed, for the report.
    pub(crate) fn note_failed(&mut self, status: Status) {
        if !self.failed.iter().any(|failed| failed.slot == status.slot) {
            self.failed.push(status);
        }
    }

    /// Whether no failed run has been remembered.
    pub(crate) fn has_nothing_failed(&self) -> bool {
        self.failed.is_empty()
    }

    /// When it must be looked at again, at the latest.
    pub(crate) fn due(&self) -> Option<Instant> {
        let clock = (Instant::now(), now());
        let compared = self.comparison.as_ref().and_then(Comparison::due);
        let due = self.rollout.due().into_iter().chain(compared).min();
        due.map(|due| clock.0 + due.saturating_sub(clock.1))
    }

    /// A report, if the stage has changed since the last one.
    pub(crate) fn take_news(&mut self) -> Option<Report> {
        let report = self.report();
        let now = (report.stage, report.outcome.is_some(), report.canary);
        let is_news = self.told.replace(now) != Some(now);
        is_news.then_some(report)
    }

    /// A report for the clients that watch.
    pub(crate) fn report(&self) -> Report {
        Report {
            revision: self.next.spec.revision,
            stage: self.rollout.state().into(),
            outcome: self
                .rollout
                .outcome()
                .filter(|_| self.is_counted)
                .map(|outcome| self.without_control(outcome)),
            failed: self.failed.clone(),
            unwritten: self.unwritten.clone(),
            receipt: self.receipt.clone(),
            canary: self.comparison.as_ref().and_then(Comparison::finding),
        }
    }

    /// The outcome for the slots of the app alone.
    fn without_control(&self, mut outcome: Outcome) -> Outcome {
        outcome.slots.retain(|slot, _| !self.is_control(slot));
        outcome
    }
}

/// Whether a rollout of a service directory is in progress, or has ended without its outcome having been reported.
pub fn is_rolling(service: &Path) -> bool {
    service.join(ROLLOUT_FILE).exists()
}

/// Removes the record of a rollout that is over or cannot be continued.
pub(crate) fn forget(service: &Path) {
    // If the file stays, the next supervisor reads in it that the rollout is over.
    let _ = fs::remove_file(service.join(ROLLOUT_FILE));
    let _ = revision::withdraw(service);
}

/// The time on the clock of rollouts: since boot.
fn now() -> Duration {
    let now = rustix::time::clock_gettime(ClockId::Boottime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs().try_into().unwrap_or(0))
}

/// The rules of a type. Where a run has a deadline of its own, the rollout's is a little later, because the run can say
/// what it has not done. A run that listens or sends `READY=1` shows by that that it is up.
fn rules(rules: Rules, health: Option<&Health>) -> Rules {
    let patience = if health.is_some() { SPEAKS_FIRST } else { Duration::ZERO };
    let shows_it = health.is_some_and(|health| match health.ready {
        Ready::Listening | Ready::Notify => true,
        Ready::Alive => false,
    });
    let deadline = rules.deadline.saturating_add(patience);
    Rules { deadline, is_checked: rules.is_checked || shows_it, ..rules }
}

/// The comparison that is wanted, of what is replaced at the app's address.
fn compare(next: &Next, order: &Order) -> Option<Comparison> {
    let is_up = |slot: &Slot| order.present.get(slot).is_some_and(|present| present.is_up);
    let replaced = order.fresh.iter().filter(|slot| next.spec.has_address(&slot.process_type) && is_up(slot));
    let replaced: Vec<Slot> = replaced.cloned().collect();
    let of_type =
        |slot: &&Slot| Some(&slot.process_type) == replaced.first().map(|first| &first.process_type);
    let all = order.fresh.iter().chain(order.present.keys()).filter(of_type);
    let last = all.map(|slot| slot.index).max().unwrap_or(0);
    Comparison::new(next.canary?, &replaced, last)
}

/// Why what is wanted cannot be compared, for people.
pub(crate) fn no_comparison(next: &Next, order: &Order) -> Option<String> {
    next.canary?;
    let Some(comparison) = compare(next, order) else {
        return Some(
            "no instance at the address of the app is replaced: there is nothing to compare a canary with"
                .to_owned(),
        );
    };
    let process_type = &comparison.control().next()?.process_type;
    let strategy = next.rolling.get(process_type.as_str())?.rules.strategy;
    (strategy != Strategy::Overlap).then(|| {
        format!(
            "a canary lives beside what it replaces, and {process_type} is rolled out {}",
            strategy.as_str()
        )
    })
}

/// What the rollout does with each slot. An empty slot has nothing to replace. To it the control of a comparison is as new as the canaries.
fn plan(next: &Next, order: &Order, comparison: Option<&Comparison>) -> Plan {
    let mut plan = plan_of_app(next, order);
    let Some(comparison) = comparison else { return plan };
    for slot in comparison.control() {
        if let Some(planned) = plan.types.get_mut(&slot.process_type) {
            planned.slots.insert(slot.index, Change::Start);
            // Canaries and control have to be there at the same time.
            let all = u16::try_from(planned.slots.len()).ok().and_then(NonZeroU16::new);
            planned.rules.max_parallel = all.unwrap_or(planned.rules.max_parallel);
        }
    }
    if let Some(planned) = comparison.control().next().and_then(|slot| plan.types.get_mut(&slot.process_type))
    {
        planned.rules.deadline = planned.rules.deadline.saturating_add(comparison.lasts());
    }
    plan
}

fn plan_of_app(next: &Next, order: &Order) -> Plan {
    let wanted: BTreeSet<Slot> = next.spec.wanted().into_iter().collect();
    let mut types: BTreeMap<_, TypePlan> = BTreeMap::new();
    let types_in_order = next.spec.order();
    let filled = order.present.keys().cloned();
    for slot in wanted.iter().cloned().chain(filled).collect::<BTreeSet<Slot>>() {
        let Some(manner) = next.rolling.get(slot.process_type.as_str()) else { continue };
        if next.spec.is_scheduled(&slot.process_type) {
            // What runs by a schedule runs on to its end, and then by the revision that there is.
            continue;
        }
        let present = order.present.get(&slot).cloned();
        let change = match (wanted.contains(&slot), order.fresh.contains(&slot), present) {
            (true, true, Some(present)) => Change::Replace(present),
            (true, true, None) => Change::Start,
            (true, false, Some(present)) => Change::Keep(present),
            (false, _, Some(present)) => Change::Stop(present),
            (true, false, None) | (false, _, None) => continue,
        };
        let process = next.spec.process(&slot.process_type);
        let health = process.and_then(|process| process.health.as_ref());
        let after = types_in_order.waits(&slot.process_type).to_vec();
        let planned = TypePlan { rules: rules(manner.rules, health), after, slots: BTreeMap::new() };
        types.entry(slot.process_type).or_insert(planned).slots.insert(slot.index, change);
    }
    Plan { types, next_number: order.next_number }
}

#[cfg(test)]
mod tests;
