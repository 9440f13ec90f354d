//! A canary in a rollout. Some of the new runs, the canaries, and the same number of new runs of the old revision, the
//! control, get a small share of the clients. `ps-rollout` is not told that they are ready until they have been
//! compared, so that the rollout does not go on before that. Pure: it is given the ready runs, the counts and the time.
//!
//! For example, `web.1@17` is the canary of `web=2`, and `web.3@19` its control. When both are ready, each gets 5 % of
//! the connections. Two minutes later the canary has not failed more often: `web.3` is removed, the rollout is told
//! that `web.1@17` is ready, and goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use balance::wire::Wanted;
use formation::Slot;
use ps_rollout::{Canary, Event, Finding, Run, Side, Tally, Verdict};
use serde::{Deserialize, Serialize};

use crate::address::backend_id;

/// How long the numbers of `ps-balance` are waited for.
const ANSWER: Duration = Duration::from_secs(2);
/// The time between two looks at what was counted so far.
const LOOK: Duration = Duration::from_secs(1);
/// How much later than the end of the comparison its runs have to be ready for the rollout.
pub(super) const MARGIN: Duration = Duration::from_secs(30);

/// A comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Comparison {
    canary: Canary,
    /// The slots of the canaries.
    canaries: BTreeSet<Slot>,
    /// The slots of the control group, which are used for nothing else.
    control: BTreeSet<Slot>,
    stage: Stage,
    /// Runs that clients are led to and that end once they have none any more.
    #[serde(default)]
    ending: BTreeSet<u64>,
    /// What another supervisor does not go on with.
    #[serde(skip)]
    looks: Looks,
}

/// The looks at what was counted so far, while releases are compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Looks {
    /// When the next one is due, on the clock of rollouts.
    next: Duration,
    /// Whether the numbers of the last one were asked for and not looked at.
    is_asked: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stage {
    /// These are ready.
    Coming { ready: BTreeMap<Slot, Run> },
    /// All are ready, and are compared until then, on the clock of rollouts.
    Comparing { runs: BTreeMap<Slot, Run>, until: Duration },
    /// What was counted is asked for, and awaited until then.
    Counting { runs: BTreeMap<Slot, Run>, until: Duration },
    /// It is over.
    Over { runs: BTreeMap<Slot, Run>, finding: Finding },
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Nothing,
    /// Lead clients to these.
    LetIn(Vec<Run>),
    /// Ask for what was counted.
    Count,
    /// Ask for what was counted so far. Nothing has changed.
    CountSoFar,
    /// Look whether the new revision is hopeless, by what was counted so far.
    Look,
    /// Judge by what is known now.
    Judge,
}

impl Comparison {
    /// With the canaries among these slots, which are to be replaced, and control slots behind all of these.
    pub(super) fn new(canary: Canary, replaced: &[Slot], last: u16) -> Option<Self> {
        let first = replaced.first()?;
        let count = canary.instances(u16::try_from(replaced.len()).unwrap_or(u16::MAX));
        let behind = (1..=count).filter_map(|n| last.checked_add(n));
        let control = behind.map(|index| Slot::new(first.process_type.clone(), index)).collect();
        let canaries = replaced.iter().take(usize::from(count)).cloned().collect();
        let stage = Stage::Coming { ready: BTreeMap::new() };
        let (ending, looks) = Default::default();
        Some(Self { canary, canaries, control, stage, ending, looks })
    }

    /// The slots of the control.
    pub(crate) fn control(&self) -> impl Iterator<Item = &Slot> {
        self.control.iter()
    }

    /// How much longer than usually its runs take until they are ready for the rollout.
    pub(super) fn lasts(&self) -> Duration {
        self.canary.lasts + ANSWER + MARGIN
    }

    fn is_of(&self, slot: &Slot) -> bool {
        self.canaries.contains(slot) || self.control.contains(slot)
    }

    fn runs(&self) -> &BTreeMap<Slot, Run> {
        match &self.stage {
            Stage::Coming { ready } => ready,
            Stage::Comparing { runs, .. } | Stage::Counting { runs, .. } | Stage::Over { runs, .. } => runs,
        }
    }

    /// What a rollout hears of this event.
    pub(super) fn pass_on(&mut self, event: Event) -> Option<Event> {
        let of_control = |run: &Run, reason: String| {
            let is_control = self.control.contains(&run.slot);
            if is_control {
                format!("{reason} (it ran the earlier release, to compare with)")
            } else {
                reason
            }
        };
        match event {
            Event::Ready(run) if self.is_of(&run.slot) && !self.is_over() => {
                if let Stage::Coming { ready } = &mut self.stage {
                    ready.insert(run.slot.clone(), run);
                }
                None
            }
            Event::StartRefused { run, reason } => {
                let reason = of_control(&run, reason);
                Some(Event::StartRefused { run, reason })
            }
            Event::NotReady { run, reason } => {
                let reason = of_control(&run, reason);
                Some(Event::NotReady { run, reason })
            }
            Event::Died { run, how } => {
                let how = of_control(&run, how);
                Some(Event::Died { run, how })
            }
            event => Some(event),
        }
    }

    /// What is to be done now. `is_counted`: nothing that was asked for is awaited any more.
    pub(super) fn step(&mut self, now: Duration, is_counted: bool) -> Step {
        match &self.stage {
            Stage::Coming { ready } if ready.len() == self.canaries.len() + self.control.len() => {
                let (runs, until) = (ready.clone(), now.saturating_add(self.canary.lasts));
                let let_in = runs.values().cloned().collect();
                self.stage = Stage::Comparing { runs, until };
                self.looks = Looks { next: now.saturating_add(LOOK), is_asked: false };
                Step::LetIn(let_in)
            }
            Stage::Comparing { runs, until } if *until <= now => {
                self.stage = Stage::Counting { runs: runs.clone(), until: now.saturating_add(ANSWER) };
                Step::Count
            }
            Stage::Comparing { .. } if self.looks.is_asked && is_counted => {
                self.looks.is_asked = false;
                Step::Look
            }
            Stage::Comparing { .. } if !self.looks.is_asked && self.looks.next <= now => {
                self.looks = Looks { next: now.saturating_add(LOOK), is_asked: true };
                Step::CountSoFar
            }
            Stage::Counting { until, .. } if is_counted || *until <= now => Step::Judge,
            Stage::Coming { .. } | Stage::Comparing { .. } | Stage::Counting { .. } | Stage::Over { .. } => {
                Step::Nothing
            }
        }
    }

    /// Another supervisor goes on with it, which has asked for nothing.
    pub(super) fn resume(&mut self) {
        if let Stage::Counting { runs, until } = &self.stage {
            self.stage = Stage::Comparing { runs: runs.clone(), until: *until };
        }
    }

    /// Judges by what was counted of each run; `None`: that is not known. What a rollout hears then.
    pub(super) fn judge(&mut self, counted: Option<&dyn Fn(&str) -> Tally>) -> Vec<Event> {
        let (canary, control) = self.tallies(counted);
        let verdict = counted.map_or(Verdict::Uncounted, |_| self.canary.judge(canary, control));
        self.conclude(verdict, (canary, control), false)
    }

    /// Ends the comparison early if, by what was counted so far, the new revision is hopeless. What a rollout hears then.
    pub(super) fn look(&mut self, counted: &dyn Fn(&str) -> Tally) -> Vec<Event> {
        let (canary, control) = self.tallies(Some(counted));
        if self.canary.is_hopeless(canary, control) {
            self.conclude(Verdict::Worse, (canary, control), true)
        } else {
            Vec::new()
        }
    }

    /// What was counted of both sides.
    fn tallies(&self, counted: Option<&dyn Fn(&str) -> Tally>) -> (Tally, Tally) {
        let runs = self.runs();
        let of = |slots: &BTreeSet<Slot>| {
            let mut all = Tally::default();
            for run in runs.values().filter(|run| slots.contains(&run.slot)) {
                let tally = counted.map(|counted| counted(&backend_id(run))).unwrap_or_default();
                (all.asked, all.failed) = (all.asked + tally.asked, all.failed + tally.failed);
            }
            all
        };
        (of(&self.canaries), of(&self.control))
    }

    fn conclude(&mut self, verdict: Verdict, tallies: (Tally, Tally), is_early: bool) -> Vec<Event> {
        let (fewest, (canary, control)) = (self.canary.fewest(), tallies);
        let finding = Finding::Judged { verdict, fewest, canary, control, is_early };
        let runs = self.runs().clone();
        let is_canary = |run: &&Run| self.canaries.contains(&run.slot);
        let canaries = runs.values().filter(is_canary).cloned();
        let events = if verdict == Verdict::Good {
            let left_out = self.control.iter().cloned().map(Event::Stopped);
            left_out.chain(canaries.map(Event::Ready)).collect()
        } else {
            canaries
                .take(1)
                .map(|run| Event::NotReady { run, reason: format!("was put back: {finding}") })
                .collect()
        };
        self.stage = Stage::Over { runs, finding };
        events
    }

    /// When something is due, on the clock of rollouts.
    pub(super) fn due(&self) -> Option<Duration> {
        match &self.stage {
            Stage::Comparing { until, .. } if self.looks.is_asked => Some(*until),
            Stage::Comparing { until, .. } => Some(self.looks.next.min(*until)),
            Stage::Counting { until, .. } => Some(*until),
            Stage::Coming { .. } | Stage::Over { .. } => None,
        }
    }

    fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over { .. })
    }

    /// Whether it has said no.
    pub(crate) fn has_refused(&self) -> bool {
        matches!(&self.stage, Stage::Over { finding: Finding::Judged { verdict, .. }, .. } if *verdict != Verdict::Good)
    }

    /// How far it is; `None`: its runs come up.
    pub(super) fn finding(&self) -> Option<Finding> {
        match &self.stage {
            Stage::Coming { .. } => None,
            Stage::Comparing { .. } | Stage::Counting { .. } => Some(Finding::Begun(self.canary)),
            Stage::Over { finding, .. } => Some(*finding),
        }
    }

    /// The runs that clients were led to without the rollout having ordered it.
    pub(crate) fn let_in(&self) -> impl Iterator<Item = &Run> {
        let is_let_in = !matches!(self.stage, Stage::Coming { .. });
        self.runs().values().filter(move |_| is_let_in)
    }

    /// A run is to end: whether its clients have to be led away from it first.
    pub(crate) fn drains(&mut self, run: &Run) -> bool {
        let drains = self.let_in().any(|known| known == run);
        if drains {
            self.ending.insert(run.number);
        }
        drains
    }

    /// Clients have been led away from a run: whether it is to end now.
    pub(crate) fn ends(&mut self, run: &Run) -> bool {
        self.ending.remove(&run.number)
    }

    /// Whether each side gets its own share of the clients now.
    pub(crate) fn shares_out(&self) -> bool {
        matches!(self.stage, Stage::Comparing { .. } | Stage::Counting { .. })
    }

    /// The side on which a slot's new run is compared; `None`: it is not.
    pub(crate) fn side(&self, slot: &Slot) -> Option<Side> {
        let canary = self.canaries.contains(slot).then_some(Side::Canary);
        canary.or_else(|| self.control.contains(slot).then_some(Side::Control))
    }

    /// Gives each backend the weight that it has while they are compared.
    pub(crate) fn weigh(&self, backends: &mut [Wanted]) {
        let (Stage::Comparing { runs, .. } | Stage::Counting { runs, .. }) = &self.stage else { return };
        let ids = |slots: &BTreeSet<Slot>| -> BTreeSet<String> {
            runs.values().filter(|run| slots.contains(&run.slot)).map(backend_id).collect()
        };
        let (canaries, control) = (ids(&self.canaries), ids(&self.control));
        let is_other = |backend: &Wanted| !canaries.contains(&backend.id) && !control.contains(&backend.id);
        let others = backends.iter().filter(|backend| is_other(backend) && backend.weight > 0).count();
        for backend in backends.iter_mut().filter(|backend| backend.weight > 0) {
            backend.weight = if is_other(backend) {
                self.canary.weight_of_others(others)
            } else {
                self.canary.weight(canaries.len())
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use balance::wire::State;

    use super::*;

    const NOW: Duration = Duration::from_secs(1_000);
    const LASTS: Duration = Duration::from_secs(60);

    fn slot(name: &str) -> Slot {
        name.parse().expect("a slot")
    }

    fn run(name: &str, number: u64) -> Run {
        Run { slot: slot(name), number }
    }

    fn comparison() -> Comparison {
        let canary = Canary { share: 500, lasts: LASTS, most_worse: 0 };
        Comparison::new(canary, &[slot("web.1"), slot("web.2")], 2).expect("some are replaced")
    }

    /// One in which both runs are ready and compared.
    fn comparing() -> Comparison {
        let mut comparison = comparison();
        assert_eq!(comparison.pass_on(Event::Ready(run("web.1", 17))), None);
        assert_eq!(comparison.step(NOW, true), Step::Nothing, "the control is not there");
        assert_eq!(comparison.pass_on(Event::Ready(run("web.3", 19))), None);
        assert_eq!(comparison.step(NOW, true), Step::LetIn(vec![run("web.1", 17), run("web.3", 19)]));
        comparison
    }

    fn judged(canary: (u64, u64), control: (u64, u64)) -> (Comparison, Vec<Event>) {
        let mut comparison = comparing();
        assert_eq!(comparison.step(NOW + LASTS, true), Step::Count);
        assert_eq!(comparison.step(NOW + LASTS, false), Step::Nothing, "it is awaited");
        assert_eq!(comparison.step(NOW + LASTS, true), Step::Judge);
        let tally = |(failed, asked)| Tally { asked, failed };
        let counted = |id: &str| if id == "web.1@17" { tally(canary) } else { tally(control) };
        let events = comparison.judge(Some(&counted));
        (comparison, events)
    }

    #[test]
    fn that_a_canary_is_ready_is_heard_once_it_was_found_good_and_its_control_is_left_out() {
        let mut comparison = comparing();
        let other = Event::Ready(run("web.2", 18));
        assert_eq!(comparison.pass_on(other.clone()), Some(other), "it is no canary");
        assert_eq!(comparison.due(), Some(NOW + LOOK));
        let (mut comparison, events) = judged((0, 60), (0, 60));
        assert_eq!(events, [Event::Stopped(slot("web.3")), Event::Ready(run("web.1", 17))]);
        assert!(!comparison.has_refused());
        assert!(comparison.pass_on(events[1].clone()).is_some());
    }

    #[test]
    fn a_canary_that_is_worse_or_has_no_clients_is_not_ready_and_drained_before_it_ends() {
        for (canary, why) in [((1, 60), "1 of 60 failed"), ((0, 3), "too little traffic: 3 connections")] {
            let (mut comparison, events) = judged(canary, (0, 60));
            let [Event::NotReady { run: not_ready, reason }] = &events[..] else { panic!("{events:?}") };
            assert!(reason.contains(why) && *not_ready == run("web.1", 17), "{reason}");
            assert!(comparison.has_refused());
            assert!(comparison.drains(&run("web.1", 17)) && !comparison.drains(&run("web.2", 18)));
            assert!(comparison.ends(&run("web.1", 17)) && !comparison.ends(&run("web.1", 17)));
        }
        let mut comparison = comparing();
        comparison.judge(None);
        assert!(comparison.has_refused(), "nothing is known");
    }

    #[test]
    fn while_they_are_compared_each_side_has_its_share_and_later_everybody_the_usual_one() {
        let address = "127.0.0.1:20001".parse().expect("an address");
        let wanted =
            |id: &str, weight| Wanted { id: id.into(), address, weight, state: State::Ready, release: None };
        let weights = |comparison: &Comparison| {
            let ids =
                [("web.1@1", 100), ("web.2@2", 100), ("web.1@17", 100), ("web.3@19", 100), ("web.4@4", 0)];
            let mut backends = ids.map(|(id, weight)| wanted(id, weight));
            comparison.weigh(&mut backends);
            backends.map(|backend| backend.weight)
        };
        assert_eq!(weights(&comparison()), [100, 100, 100, 100, 0]);
        assert_eq!(weights(&comparing()), [450_000, 450_000, 50_000, 50_000, 0]);
        assert_eq!(weights(&judged((0, 60), (0, 60)).0), [100, 100, 100, 100, 0]);
    }

    #[test]
    fn another_supervisor_asks_anew_and_an_answer_that_does_not_come_is_not_awaited_for_ever() {
        let mut comparison = comparing();
        assert_eq!(comparison.step(NOW + LASTS, true), Step::Count);
        comparison.resume();
        assert_eq!(comparison.step(NOW + LASTS + ANSWER, true), Step::Count);
        assert_eq!(comparison.step(NOW + LASTS + 2 * ANSWER, false), Step::Judge);
    }

    #[test]
    fn what_was_counted_is_looked_at_every_second_and_a_hopeless_canary_ends_before_its_time() {
        let mut comparison = comparing();
        assert_eq!(comparison.step(NOW, true), Step::Nothing);
        let mut now = NOW + LOOK;
        assert_eq!(comparison.step(now, true), Step::CountSoFar);
        assert_eq!(comparison.step(now, false), Step::Nothing, "it is awaited");
        assert_eq!(comparison.due(), Some(NOW + LASTS), "it need not come");
        assert_eq!(comparison.step(now, true), Step::Look);
        let counted =
            |failed| move |id: &str| Tally { asked: 60, failed: if id == "web.1@17" { failed } else { 0 } };
        assert_eq!(comparison.look(&counted(20)), []);
        assert_eq!((comparison.step(now, true), comparison.due()), (Step::Nothing, Some(now + LOOK)));
        now += LOOK;
        assert_eq!(comparison.step(now, true), Step::CountSoFar);
        assert_eq!(comparison.step(now, true), Step::Look);
        let events = comparison.look(&counted(60));
        let [Event::NotReady { reason, .. }] = &events[..] else { panic!("{events:?}") };
        assert!(reason.contains("60 of 60 failed") && reason.contains("beyond chance"), "{reason}");
        assert!(comparison.has_refused());
        assert_eq!((comparison.step(now + LASTS, true), comparison.due()), (Step::Nothing, None));
    }

    #[test]
    fn a_look_that_nobody_answers_does_not_delay_the_verdict() {
        let mut comparison = comparing();
        assert_eq!(comparison.step(NOW + LOOK, true), Step::CountSoFar);
        assert_eq!(comparison.step(NOW + LASTS, false), Step::Count);
        assert_eq!(comparison.step(NOW + LASTS + ANSWER, false), Step::Judge);
    }

    #[test]
    fn each_side_is_known_by_its_slots_and_has_a_share_while_they_are_compared() {
        let comparison = comparing();
        let sides = ["web.1", "web.2", "web.3"].map(|name| comparison.side(&slot(name)));
        assert_eq!(sides, [Some(Side::Canary), None, Some(Side::Control)]);
        assert!(comparison.shares_out() && !judged((0, 60), (0, 60)).0.shares_out());
    }
}
