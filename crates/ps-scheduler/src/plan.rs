//! The plan: what will happen to each slot, and why. It is computed from the wanted formation and the running instances
//! before anything changes, and a scheduler carries it out. Pure.
//!
//! For example, `web=2 worker=0` is wanted, and `web.1` and `worker.1` run. To converge is: keep `web.1`, start `web.2`, stop
//! `worker.1`. A deploy is: replace `web.1`, start `web.2`, stop `worker.1`.

use std::collections::{BTreeMap, BTreeSet};

use formation::{Formation, ProcessType, Slot};
use ps_rollout::{Canary, Rules, Strategy};

use crate::rules::Extent;
use crate::step::{Change, Intent, Step, steps};
use crate::{Instance, Release, Task, rules};

/// Everything that will happen to an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The release that new instances are started from.
    pub release: Release,
    /// The wanted formation, including slots outside the intent.
    pub wanted: Formation,
    /// One step for each slot that is wanted or filled, ordered by type, then index.
    pub steps: Vec<Step>,
    /// The rollout rules for each type that has a step.
    pub rules: BTreeMap<ProcessType, Rules>,
    /// Whether this is a new release.
    pub is_deploy: bool,
    /// The types in which a new release differs from the one before; kept instances of any other type stay the same processes.
    /// `None`: it is a new release for all types, or for none.
    pub changed: Option<BTreeSet<ProcessType>>,
    /// The tasks that run to their end before any new instance starts, in this order.
    pub tasks: Vec<Task>,
    /// The id of the deploy, which the scheduler's [witness](crate::Scheduler::witness) contains from the commit on, if the caller
    /// looks for it.
    pub deploy: Option<String>,
    /// Whether, and how, the new release is compared with the earlier one at the app's address before it takes over.
    pub canary: Option<Canary>,
}

impl Plan {
    /// Compares the wanted formation with the running instances. Scaling up fills only new slots, and scaling down empties
    /// only the highest; slots outside the intent are kept. `usual` is the scheduler's strategy, for types that do not
    /// choose one.
    pub fn new(
        release: Release,
        wanted: &Formation,
        present: &[Instance],
        intent: &Intent,
        usual: Strategy,
    ) -> Self {
        // The new release alone decides whether a type runs by a schedule; how the type ran before does not count.
        let is_scheduled = |slot: &Slot, _: Option<&Instance>| {
            let process = release.process(&slot.process_type);
            process.is_some_and(|process| process.settings.schedule.is_some())
        };
        let wanted = release.with_tasks(wanted);
        let steps = steps(&wanted, present, intent, &is_scheduled);
        let rules = rules_of(&release, &steps, usual);
        let changed = match intent {
            Intent::DeployTypes(types) => Some(types.clone()),
            Intent::Converge(_) | Intent::Start(_) | Intent::Restart(_) | Intent::Deploy => None,
        };
        let is_deploy = *intent == Intent::Deploy || changed.is_some();
        let tasks = if is_deploy { Task::of_release(&release).into_iter().collect() } else { Vec::new() };
        Self { release, wanted, steps, rules, is_deploy, changed, tasks, deploy: None, canary: None }
    }

    /// Only the steps, for `--dry-run`.
    pub fn steps(wanted: &Formation, present: &[Instance], intent: &Intent) -> Vec<Step> {
        steps(wanted, present, intent, &|_, present| present.is_some_and(|now| now.next.is_some()))
    }

    /// The slots that will be filled when the plan has been carried out.
    pub fn filled(&self) -> impl Iterator<Item = &Slot> {
        self.steps.iter().filter(|step| step.change != Change::Stop).map(|step| &step.slot)
    }

    /// The slots to which `change` happens.
    pub fn slots(&self, change: Change) -> impl Iterator<Item = &Slot> {
        self.steps.iter().filter(move |step| step.change == change).map(|step| &step.slot)
    }

    /// Whether it only fills empty slots from the running release, as `start` and `restore` do. Then each slot counts by
    /// itself: a worker that cannot reach its database does not keep the app's web processes down.
    pub fn only_fills(&self) -> bool {
        let touches_nothing = |step: &Step| matches!(step.change, Change::Keep | Change::Start);
        !self.is_deploy && self.steps.iter().all(touches_nothing)
    }

    /// Whether instances of this type stay the very same processes even though the release is a new one.
    pub fn keeps(&self, process_type: &ProcessType) -> bool {
        self.changed.as_ref().is_some_and(|changed| !changed.contains(process_type))
    }

    /// The same plan, except that the old instances of these types end before new ones start, and that no task runs again.
    #[must_use]
    pub fn stopping_first(&self, types: &BTreeSet<ProcessType>) -> Self {
        let mut plan = Self { tasks: Vec::new(), ..self.clone() };
        for (_, rules) in plan.rules.iter_mut().filter(|(name, _)| types.contains(*name)) {
            rules.strategy = Strategy::StopFirst;
            rules.max_trials = None;
        }
        plan
    }

    /// Whether the plan has nothing to do.
    pub fn is_noop(&self) -> bool {
        self.steps.iter().all(|step| step.change == Change::Keep)
    }
}

fn rules_of(release: &Release, steps: &[Step], usual: Strategy) -> BTreeMap<ProcessType, Rules> {
    let mut extents: BTreeMap<&ProcessType, Extent> = BTreeMap::new();
    for step in steps {
        let extent = extents.entry(&step.slot.process_type).or_default();
        extent.wanted += u16::from(step.change != Change::Stop);
        extent.replaced += u16::from(step.change == Change::Replace);
    }
    let order = release.order();
    for (process_type, extent) in &mut extents {
        extent.is_to_end = order.is_awaited_to_be_done(process_type);
        extent.may_end = release.is_left_when_it_ends(process_type);
    }
    let rules = |(name, extent): (&ProcessType, Extent)| {
        let usual = release.strategy(name).unwrap_or(usual);
        let rules = rules::of(release.process(name), usual, extent);
        let minimum_life = rules.minimum_life.max(release.uptime(name));
        (name.clone(), Rules { minimum_life, ..rules })
    };
    extents.into_iter().map(rules).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use formation::{State, Which};
    use type_settings::TypeSettings;

    use super::*;
    use crate::conformance::formation;
    use crate::{Gate, Over, Source};

    /// A release of the app `shop`, without any process type.
    pub(crate) fn release() -> Release {
        Release {
            app: "shop".parse().expect("a legal name"),
            source: Source::Image("shop:1".into()),
            processes: vec![],
            are_all_types: false,
            others: TypeSettings::default(),
            env: vec![],
            restart_policy: formation::RestartPolicy::default(),
            stop_timeout: Duration::from_secs(30),
            gate: Gate::default(),
            listen: formation::Addresses::default(),
            frontend: balance::Frontend::default(),
        }
    }

    fn plan(wanted: &[&str], present: &[(&str, State)], intent: &Intent) -> Vec<String> {
        let wanted = formation(wanted);
        let present: Vec<Instance> = present
            .iter()
            .map(|(slot, state)| Instance::new(slot.parse().expect("a legal slot"), *state))
            .collect();
        let plan = Plan::new(release(), &wanted, &present, intent, Strategy::Overlap);
        plan.steps.iter().map(|step| format!("{} {}", step.change.as_str(), step.slot)).collect()
    }

    const CONVERGE: Intent = Intent::Converge(Which::All);
    const UP: State = State::Running;

    #[test]
    fn scaling_up_fills_only_the_new_slots() {
        assert_eq!(
            plan(&["web=3"], &[("web.1", UP)], &CONVERGE),
            ["keep web.1", "start web.2", "start web.3"]
        );
    }

    #[test]
    fn scaling_down_empties_only_the_highest() {
        assert_eq!(
            plan(&["web=1"], &[("web.1", UP), ("web.2", UP)], &CONVERGE),
            ["keep web.1", "stop web.2"]
        );
    }

    #[test]
    fn a_gap_is_filled_and_its_neighbours_are_kept() {
        let present = [("web.1", State::Crashed), ("web.2", UP)];
        assert_eq!(plan(&["web=2"], &present, &CONVERGE), ["start web.1", "keep web.2"]);
    }

    #[test]
    fn who_chooses_which_instances_stay_has_the_slots_that_are_filled_and_then_the_lowest() {
        let row = |slot: &str, state| Instance {
            is_interchangeable: true,
            ..Instance::new(slot.parse().expect("a legal slot"), state)
        };
        let steps = |wanted: &[&str], present: &[Instance]| -> Vec<String> {
            let steps = Plan::steps(&formation(wanted), present, &CONVERGE);
            steps.iter().map(|step| format!("{} {}", step.change.as_str(), step.slot)).collect()
        };
        let there = [row("web.2", UP), row("web.5", UP)];
        assert_eq!(steps(&["web=2"], &there), ["keep web.2", "keep web.5"]);
        assert_eq!(steps(&["web=4"], &there), ["start web.1", "keep web.2", "start web.3", "keep web.5"]);
        assert_eq!(steps(&["web=1"], &there), ["keep web.2", "stop web.5"]);
        // An instance that no machine was found for yet is stopped before one that runs.
        let there = [row("web.1", State::Waiting), row("web.2", UP)];
        assert_eq!(steps(&["web=1"], &there), ["stop web.1", "keep web.2"]);
    }

    #[test]
    fn a_type_that_is_no_longer_named_ends() {
        assert_eq!(
            plan(&["web=1"], &[("web.1", UP), ("old.1", UP)], &CONVERGE),
            ["stop old.1", "keep web.1"]
        );
    }

    #[test]
    fn what_is_recorded_and_does_not_run_is_not_called_running() {
        let reason = |state| {
            let present = [Instance::new("web.1".parse().expect("a legal slot"), state)];
            Plan::steps(&Formation::default(), &present, &CONVERGE)[0].reason
        };
        assert_eq!(reason(UP), "not in the formation");
        for state in [State::Stopped, State::Crashed] {
            assert_eq!(reason(state), "not in the formation, and not running", "{state:?}");
        }
    }

    #[test]
    fn a_restart_of_one_type_leaves_the_others_alone() {
        let restart = Intent::Restart(Which::Type("web".parse().expect("legal")));
        let present = [("web.1", UP), ("worker.1", State::Stopped), ("worker.2", UP)];
        assert_eq!(plan(&["web=1", "worker=2"], &present, &restart), ["replace web.1", "keep worker.2"]);
    }

    #[test]
    fn converging_puts_back_what_somebody_else_has_changed_and_a_start_leaves_it() {
        let altered =
            Instance { is_altered: true, ..Instance::new("web.1".parse().expect("a legal slot"), UP) };
        let there = [altered, Instance::new("worker.1".parse().expect("a legal slot"), UP)];
        let wanted = formation(&["web=1", "worker=1"]);
        let steps = |intent: &Intent| -> Vec<String> {
            let steps = Plan::steps(&wanted, &there, intent);
            steps
                .iter()
                .map(|step| format!("{} {}: {}", step.change.as_str(), step.slot, step.reason))
                .collect()
        };
        assert_eq!(
            steps(&CONVERGE),
            ["replace web.1: somebody else has changed it", "keep worker.1: already as wanted"]
        );
        assert!(steps(&Intent::Start(Which::All)).iter().all(|step| step.starts_with("keep")));
    }

    #[test]
    fn a_new_release_replaces_everything() {
        let present = [("web.1", UP)];
        assert_eq!(plan(&["web=2"], &present, &Intent::Deploy), ["replace web.1", "start web.2"]);
    }

    #[test]
    fn a_release_that_differs_in_one_type_keeps_the_others() {
        let types = BTreeSet::from(["worker".parse().expect("legal")]);
        let intent = Intent::DeployTypes(types);
        let present = [("web.1", UP), ("worker.1", UP), ("old.1", UP), ("job.1", State::Crashed)];
        assert_eq!(
            plan(&["web=2", "worker=1", "job=1"], &present, &intent),
            ["start job.1", "stop old.1", "keep web.1", "start web.2", "replace worker.1"]
        );
        let finished = [over("job.1", State::Stopped, Over::Finished)];
        let steps = Plan::steps(&formation(&["job=1"]), &finished, &intent);
        assert_eq!(steps[0].change, Change::Keep, "a change elsewhere starts no finished instance");
    }

    fn over(slot: &str, state: State, over: Over) -> Instance {
        Instance { over: Some(over), ..Instance::new(slot.parse().expect("a legal slot"), state) }
    }

    #[test]
    fn converging_wakes_nothing_that_is_over_and_asking_for_it_does() {
        let present = [
            Instance::new("web.1".parse().expect("a legal slot"), UP),
            over("web.2", State::Stopped, Over::StoppedByHand),
            over("job.1", State::Stopped, Over::Finished),
            over("bad.1", State::Crashed, Over::GivenUp),
        ];
        let wanted = formation(&["web=3", "job=1", "bad=1"]);
        let steps = |intent: &Intent| -> Vec<String> {
            let steps = Plan::steps(&wanted, &present, intent);
            steps.iter().map(|step| format!("{} {}", step.change.as_str(), step.slot)).collect()
        };
        let kept = ["keep bad.1", "keep job.1", "keep web.1", "start web.3"];
        assert_eq!(steps(&CONVERGE), kept);
        let web = || Which::Type("web".parse().expect("legal"));
        assert_eq!(
            steps(&Intent::Start(web())),
            ["keep bad.1", "keep job.1", "keep web.1", "start web.2", "start web.3"]
        );
        assert_eq!(
            steps(&Intent::Start(Which::All)),
            ["start bad.1", "start job.1", "keep web.1", "start web.2", "start web.3"]
        );
        assert_eq!(
            steps(&Intent::Restart(web())),
            ["keep bad.1", "keep job.1", "replace web.1", "start web.2", "start web.3"]
        );
    }
}
