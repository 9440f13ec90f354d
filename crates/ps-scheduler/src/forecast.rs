//! A plan as `--dry-run` shows it: one row for each slot. The rows come from the steps of a plan made from the same status,
//! so they show what would be done. If a scheduler does not say whether a slot is filled, the row says `unknown`; nothing
//! is guessed.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroU16;

use formation::{Formation, ProcessType, Slot, State, Which};
use ps_rollout::{Rules, Strategy};
use serde::{Deserialize, Serialize};

use crate::{AppStatus, Change, Effect, Intent, Plan, Step, Task, step};

/// The action of a slot whose scheduler decides whether its instance is kept or stopped.
const EITHER: &str = "either";

/// What would happen to one slot, and why: a row of `--dry-run`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Foreseen {
    /// The process type.
    pub process_type: String,
    /// The index within the type, from 1.
    pub index: u16,
    /// The name of a [`Change`], `either` (its scheduler decides whether the instance is kept or stopped), or
    /// `unknown`.
    pub action: Cow<'static, str>,
    /// Why, for people: one short fragment.
    pub reason: Cow<'static, str>,
    /// The schedule that it runs by, in five fields as in a crontab; `None`: it runs all the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// The rollout rules for its new instance; `None` if it gets no new instance, or if another program decides.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub rules: Option<ForeseenRules>,
}

/// A task that a deploy would run: a row of `--dry-run`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ForeseenTask<'a> {
    /// The name of the task.
    task: &'a str,
    /// Always `run`.
    action: &'static str,
    /// When it runs, for people: one short fragment.
    reason: &'static str,
    /// The command line.
    command: &'a str,
}

/// The rules of a rollout, as `--dry-run` shows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeseenRules {
    /// The order of old and new instances.
    pub strategy: Strategy,
    /// How many instances of the type are started at a time.
    pub max_parallel: NonZeroU16,
    /// Within how many seconds an instance has to be ready.
    pub deadline_seconds: u64,
}

/// The state of an app, and what is about to be done.
#[derive(Clone, Copy, Debug)]
pub enum Outlook<'a> {
    /// It was never deployed, so nothing is done.
    Undeployed,
    /// It was stopped as a whole, so nothing is done until it is started.
    Stopped(&'a AppStatus),
    /// A plan with this intent would be carried out.
    Planned(&'a AppStatus, &'a Intent),
    /// What Dokku does: every instance of these types is deployed again, and no other type is touched.
    Whole(&'a AppStatus, &'a BTreeSet<ProcessType>),
    /// Its scheduler did not answer; this formation was wanted before the change.
    Unanswered(&'a Formation),
}

impl Foreseen {
    /// Whether the scheduler has answered, so that the rows are known.
    pub fn is_known(&self) -> bool {
        self.action != State::Unknown.as_str()
    }

    fn is_of(&self, slot: &Slot) -> bool {
        (self.process_type.as_str(), self.index) == (slot.process_type.as_str(), slot.index)
    }

    fn new(slot: &Slot, change: Change, reason: &'static str) -> Self {
        Self::row(slot, change.as_str(), reason)
    }

    fn unknown(slot: &Slot) -> Self {
        Self::row(slot, State::Unknown.as_str(), "its scheduler did not say whether it runs")
    }

    fn row(slot: &Slot, action: &'static str, reason: &'static str) -> Self {
        Self {
            process_type: slot.process_type.to_string(),
            index: slot.index,
            action: action.into(),
            reason: reason.into(),
            schedule: None,
            rules: None,
        }
    }
}

impl<'a> ForeseenTask<'a> {
    /// The row of a task.
    pub fn of(task: &'a Task) -> Self {
        let reason = match task.effect {
            Effect::NothingChanges => "once, before the new instances start",
            Effect::NewReleaseRuns => "once, when the new release runs",
        };
        Self { task: task.process_type.as_str(), action: "run", reason, command: &task.command }
    }
}

impl fmt::Display for ForeseenTask<'_> {
    /// The columns for people, with the first line of the command.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.command.trim().lines().next().unwrap_or_default();
        write!(f, "{:<16} {:<8} {}: {line}", self.task, self.action, self.reason)
    }
}

impl fmt::Display for Foreseen {
    /// The columns for people: `web.1            keep     already as wanted`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slot = format!("{}.{}", self.process_type, self.index);
        write!(f, "{slot:<16} {:<8} {}", self.action, self.reason)?;
        self.schedule.iter().try_for_each(|schedule| write!(f, "; runs by the schedule {schedule}"))
    }
}

/// A row for each slot that is wanted or filled, ordered by type, then index.
pub fn foresee(wanted: &Formation, outlook: Outlook<'_>) -> Vec<Foreseen> {
    match outlook {
        Outlook::Undeployed => {
            let steps = Plan::steps(wanted, &[], &Intent::Deploy);
            let reason = "the app is not deployed: starts with its first deploy";
            steps.iter().map(|step| Foreseen::new(&step.slot, step.change, reason)).collect()
        }
        Outlook::Unanswered(before) => {
            let steps = [wanted, before].map(|formation| Plan::steps(formation, &[], &Intent::Deploy));
            let slots: BTreeSet<Slot> = steps.into_iter().flatten().map(|step| step.slot).collect();
            slots.iter().map(Foreseen::unknown).collect()
        }
        Outlook::Stopped(status) => rows(wanted, status, &Intent::Start(Which::All), |step| {
            let is_start = step.change == Change::Start;
            let reason = if is_start { "the app is stopped: starts when it is started" } else { step.reason };
            Foreseen::new(&step.slot, step.change, reason)
        }),
        Outlook::Planned(status, intent) => {
            let rows = rows(wanted, status, intent, of_step);
            if matches!(intent, Intent::Converge(_)) { around_doubts(rows, status) } else { rows }
        }
        Outlook::Whole(status, types) => {
            let others = rows(wanted, status, &Intent::Converge(Which::All), left_alone);
            let is_whole = |row: &Foreseen| types.contains(row.process_type.as_str());
            let mut all: Vec<Foreseen> = others.into_iter().filter(|row| !is_whole(row)).collect();
            for process_type in types {
                let restart = Intent::Restart(Which::Type(process_type.clone()));
                let of_type = rows(wanted, status, &restart, whole);
                all.extend(of_type.into_iter().filter(|row| row.process_type == process_type.as_str()));
            }
            all.sort_by(|one, other| (&one.process_type, one.index).cmp(&(&other.process_type, other.index)));
            all
        }
    }
}

/// The rows of a change of counts, corrected for slots that may have been stopped by hand ([`AppStatus::doubtful`]): such a slot is not
/// started, so its row says `unknown` in place of `start`.
pub fn around_doubts(mut rows: Vec<Foreseen>, status: &AppStatus) -> Vec<Foreseen> {
    let slots = status.doubtful.iter().flat_map(|doubtful| &doubtful.slots);
    for slot in slots {
        let is_started = |row: &&mut Foreseen| row.is_of(slot) && row.action == Change::Start.as_str();
        if let Some(row) = rows.iter_mut().find(is_started) {
            *row =
                Foreseen::row(slot, State::Unknown.as_str(), "whether it was stopped by hand cannot be read");
        }
    }
    rows
}

impl Plan {
    /// The rows of a plan; `status` is the one that it was made from.
    pub fn foreseen(&self, status: &AppStatus) -> Vec<Foreseen> {
        of_steps(&self.steps, status, |step| {
            let is_brought_up = matches!(step.change, Change::Start | Change::Replace);
            let process_type = &step.slot.process_type;
            let rules = self.rules.get(process_type).filter(|_| is_brought_up).map(ForeseenRules::of);
            let process = self.release.process(process_type).filter(|_| step.change != Change::Stop);
            let schedule = process.and_then(|process| process.settings.schedule.as_ref());
            let row = Foreseen { rules, schedule: schedule.map(ToString::to_string), ..of_step(step) };
            match self.port_to_wait_for(step) {
                Some(port) => Foreseen {
                    reason: format!(
                        "{}; starts when an earlier instance has left port {port} of its node",
                        row.reason
                    )
                    .into(),
                    ..row
                },
                None => row,
            }
        })
    }

    /// The port of its node that a new instance has to wait for, if instances are replaced one by one and an earlier one
    /// still has the port.
    fn port_to_wait_for(&self, step: &Step) -> Option<u16> {
        let process_type = &step.slot.process_type;
        let strategy = self.rules.get(process_type)?.strategy;
        let is_after = step.change == Change::Replace && strategy == Strategy::OneByOne;
        self.release.node_port(process_type).filter(|_| is_after)
    }
}

impl ForeseenRules {
    fn of(rules: &Rules) -> Self {
        let Rules { strategy, max_parallel, deadline, .. } = *rules;
        Self { strategy, max_parallel, deadline_seconds: deadline.as_secs() }
    }
}

fn of_step(step: &Step) -> Foreseen {
    Foreseen::new(&step.slot, step.change, step.reason)
}

fn rows(
    wanted: &Formation,
    status: &AppStatus,
    intent: &Intent,
    row: impl Fn(&Step) -> Foreseen,
) -> Vec<Foreseen> {
    of_steps(&Plan::steps(wanted, &status.instances, intent), status, row)
}

fn of_steps(steps: &[Step], status: &AppStatus, row: impl Fn(&Step) -> Foreseen) -> Vec<Foreseen> {
    let unknown = status.instances.iter().filter(|instance| instance.state == State::Unknown);
    let unknown: BTreeSet<&Slot> = unknown.map(|instance| &instance.slot).collect();
    let chosen = chosen_by_others(steps, status);
    let row = |step: &Step| {
        if unknown.contains(&step.slot) {
            return Foreseen::unknown(&step.slot);
        }
        match chosen.get(&step.slot) {
            Some(reason) => Foreseen {
                action: EITHER.into(),
                reason: reason.clone().into(),
                ..Foreseen::new(&step.slot, step.change, step.reason)
            },
            None => row(step),
        }
    };
    steps.iter().map(row).collect()
}

/// If the scheduler chooses which instances of a type are stopped: the slots that it chooses from, each with the reason to
/// be shown.
fn chosen_by_others<'a>(steps: &'a [Step], status: &AppStatus) -> BTreeMap<&'a Slot, String> {
    let of_scheduler = status.instances.iter().filter(|now| now.is_interchangeable && step::is_filled(now));
    let of_scheduler: BTreeSet<&Slot> = of_scheduler.map(|now| &now.slot).collect();
    let mut types: BTreeMap<&ProcessType, Vec<&Step>> = BTreeMap::new();
    for step in steps.iter().filter(|step| of_scheduler.contains(&step.slot)) {
        types.entry(&step.slot.process_type).or_default().push(step);
    }
    let mut chosen = BTreeMap::new();
    for steps in types.values() {
        let stopped = steps.iter().filter(|step| step.change == Change::Stop).count();
        if stopped > 0 && stopped < steps.len() {
            let reason = format!("its scheduler chooses {stopped} of {} to stop", steps.len());
            chosen.extend(steps.iter().map(|step| (&step.slot, reason.clone())));
        }
    }
    chosen
}

fn left_alone(step: &Step) -> Foreseen {
    let reason = match step.change {
        Change::Keep => step.reason,
        Change::Start | Change::Stop | Change::Replace => {
            "its count does not change: Dokku leaves it as it is"
        }
    };
    Foreseen::new(&step.slot, Change::Keep, reason)
}

fn whole(step: &Step) -> Foreseen {
    let is_replaced = step.change == Change::Replace;
    Foreseen::new(
        &step.slot,
        step.change,
        if is_replaced { "Dokku deploys the whole type" } else { step.reason },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::formation;
    use crate::{Instance, Over};

    fn status(instances: &[(&str, State)]) -> AppStatus {
        let instance = |(slot, state): &(&str, State)| {
            let over = matches!(state, State::Stopped).then_some(Over::Finished);
            Instance { over, ..Instance::new(slot.parse().expect("a legal slot"), *state) }
        };
        AppStatus::of("shop".parse().expect("a legal name"), instances.iter().map(instance).collect())
    }

    fn foreseen(counts: &[&str], outlook: Outlook<'_>) -> Vec<String> {
        let rows = foresee(&formation(counts), outlook);
        rows.iter().map(|row| format!("{} {}.{}", row.action, row.process_type, row.index)).collect()
    }

    #[test]
    fn what_nobody_answers_is_unknown_in_every_slot_that_is_or_was_wanted() {
        let before = formation(&["web=2", "old=1"]);
        let rows = foreseen(&["web=1", "worker=1"], Outlook::Unanswered(&before));
        assert_eq!(rows, ["unknown old.1", "unknown web.1", "unknown web.2", "unknown worker.1"]);
        let partly = status(&[("web.1", State::Running), ("web.2", State::Unknown)]);
        let converge = Intent::Converge(Which::All);
        assert_eq!(
            foreseen(&["web=2"], Outlook::Planned(&partly, &converge)),
            ["keep web.1", "unknown web.2"]
        );
    }

    #[test]
    fn a_slot_is_only_listed_as_kept_where_that_is_certain() {
        let mut there =
            status(&[("web.1", State::Running), ("web.2", State::Running), ("web.3", State::Running)]);
        for instance in &mut there.instances {
            instance.is_interchangeable = true;
        }
        let converge = Intent::Converge(Which::All);
        let rows = |counts: &[&str]| foreseen(counts, Outlook::Planned(&there, &converge));
        assert_eq!(rows(&["web=2"]), ["either web.1", "either web.2", "either web.3"]);
        assert_eq!(rows(&["web=0"]), ["stop web.1", "stop web.2", "stop web.3"]);
        assert_eq!(rows(&["web=3"]), ["keep web.1", "keep web.2", "keep web.3"]);
        let wanted = formation(&["web=2"]);
        let row = foresee(&wanted, Outlook::Planned(&there, &converge)).remove(0);
        assert_eq!(row.reason, "its scheduler chooses 1 of 3 to stop");
    }

    #[test]
    fn dokku_deploys_a_type_whole_and_touches_no_other() {
        let there = status(&[
            ("job.1", State::Stopped),
            ("web.1", State::Running),
            ("web.2", State::Running),
            ("worker.2", State::Running),
        ]);
        let types = ["web", "job"].map(|name| name.parse().expect("a legal process type")).into();
        assert_eq!(
            foreseen(&["web=1", "worker=1", "job=1"], Outlook::Whole(&there, &types)),
            ["start job.1", "replace web.1", "stop web.2", "keep worker.1", "keep worker.2"]
        );
    }

    #[test]
    fn an_instance_that_needs_the_port_of_the_one_before_says_so_unless_it_is_to_overlap() {
        let there = status(&[("web.1", State::Running)]);
        let reasons = |strategy: Option<Strategy>| -> Vec<String> {
            let mut web = crate::Process::new("web".parse().expect("a type"), None);
            web.settings.publish = Some(type_settings::Publish::Host);
            web.settings.port = "8080".parse().ok();
            web.strategy = strategy;
            let release = crate::Release { processes: vec![web], ..crate::plan::tests::release() };
            let wanted = formation(&["web=2"]);
            let plan = Plan::new(release, &wanted, &there.instances, &Intent::Deploy, Strategy::Overlap);
            plan.foreseen(&there).into_iter().map(|row| row.reason.into_owned()).collect()
        };
        let waits = "new release; starts when an earlier instance has left port 8080 of its node";
        assert_eq!(reasons(None)[0], waits);
        assert!(reasons(None)[1] != waits && reasons(Some(Strategy::Overlap)).iter().all(|why| why != waits));
    }
}
