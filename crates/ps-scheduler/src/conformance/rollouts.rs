//! The guarantees of a rollout: the state of an app after a deploy or restart fails, is refused, is cancelled, or loses its
//! caller. They are returned as three lists that the tests of every scheduler run, so a new guarantee is tested for all.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::thread;
use std::time::{Duration, Instant};

use formation::{Slot, Which};
use ps_rollout::{Fate, Strategy};

use super::Subject;
use super::harness::Harness;
use super::place::{self, Place};
use crate::{Cancel, Error, Intent, Plan, Progress, Release, Running};

/// The gate for an instance that is to end early: so long that the instance cannot pass it, even on a busy machine.
const LONG_GATE: Duration = Duration::from_secs(5);
/// A deploy that needs more steps than this is regarded as endless.
const MANY: usize = 200;

/// A guarantee. It panics if it is broken, and removes the app at its end.
pub type Promise = Box<dyn Fn(&dyn Harness) + Sync>;

/// A deploy or restart that fails, is refused or is cancelled changes nothing.
pub fn of_failures() -> Vec<Promise> {
    let mut promises: Vec<Promise> = vec![
        Box::new(a_refused_input_leaves_the_same_instances),
        Box::new(a_first_deploy_that_fails_leaves_nothing),
    ];
    for strategy in [Strategy::Overlap, Strategy::OneByOne] {
        promises.push(with(strategy, a_failed_deploy_leaves_the_same_instances));
        promises.push(with(strategy, a_failed_restart_leaves_the_same_instances));
        promises.push(with(strategy, a_type_that_fails_leaves_the_others_alone));
        promises.push(with(strategy, a_cancelled_deploy_leaves_the_same_instances));
    }
    promises
}

/// The order of old and new instances is that of the strategy; if only empty slots are filled, each slot counts by
/// itself.
pub fn of_strategies() -> Vec<Promise> {
    vec![
        Box::new(overlap_has_both_for_a_moment_and_one_afterwards),
        Box::new(one_by_one_touches_nothing_before_its_trial_and_then_as_few_as_it_may),
        Box::new(stop_first_never_has_two_and_is_back_after_a_failure),
        Box::new(a_scale_after_a_failed_deploy_fills_what_is_wanted),
        Box::new(a_start_of_which_one_type_fails_leaves_the_others_up),
        Box::new(a_release_that_differs_in_one_type_keeps_the_instances_of_others),
    ]
}

/// If the caller dies at any step, the next verb finishes or undoes what it began.
pub fn of_deaths() -> Vec<Promise> {
    let mut promises: Vec<Promise> = Vec::new();
    for strategy in Strategy::ALL {
        promises.push(with(strategy, the_same_deploy_again_after_a_death_at_any_step_ends_as_wanted));
        promises.push(with(strategy, the_same_restart_again_after_a_death_at_any_step_ends_as_wanted));
        promises.push(with(strategy, a_stop_after_a_death_at_any_step_ends_old_and_new));
    }
    promises
}

pub(super) fn with(strategy: Strategy, promise: fn(&dyn Harness, Strategy)) -> Promise {
    Box::new(move |harness| promise(harness, strategy))
}

/// Checks these guarantees, `at_a_time` of them in parallel, because they mostly wait. Each gets a new directory from `fresh`.
///
/// # Panics
/// A guarantee is broken.
pub fn all_keep<H: Harness>(promises: &[Promise], at_a_time: usize, fresh: impl Fn() -> H + Sync) {
    for some in promises.chunks(at_a_time) {
        thread::scope(|scope| {
            for promise in some {
                scope.spawn(|| promise(&fresh()));
            }
        });
    }
}

/// If a release does not pass its gate, the old processes and containers run on, and no others.
pub(crate) fn a_failed_deploy_leaves_the_same_instances(harness: &dyn Harness, strategy: Strategy) {
    let suite = Suite::begin(harness, strategy);
    suite.is_up(&["web=2"]);
    let before = suite.what_is_there();
    suite.fails(&harness.bad(), &["web=2"], &Intent::Deploy);
    suite.is_as(&before);
}

/// The same for a restart.
pub(crate) fn a_failed_restart_leaves_the_same_instances(harness: &dyn Harness, strategy: Strategy) {
    let suite = Suite::begin(harness, strategy);
    suite.is_up(&["web=2"]);
    let before = suite.what_is_there();
    suite.fails(&harness.bad(), &["web=2"], &Intent::Restart(Which::All));
    suite.is_as(&before);
}

/// If one type does not pass its gate, no other type changes.
pub(crate) fn a_type_that_fails_leaves_the_others_alone(harness: &dyn Harness, strategy: Strategy) {
    let suite = Suite::begin(harness, strategy);
    suite.is_up(&["web=1", "worker=1"]);
    let before = suite.what_is_there();
    let mut release = suite.release(&harness.good());
    release.processes[1].command = harness.bad().command;
    let plan = suite.place.plan(release, &["web=1", "worker=1"], &Intent::Deploy);
    let failed = suite.place.deploy(&with_long_gate(plan));
    assert!(matches!(failed, Err(Error::DeployFailed { .. })), "worker.1 does not come up: {failed:?}");
    suite.is_as(&before);
}

/// If a release differs from the one before in one type, only the instances of that type are replaced; those of other types
/// stay the same processes. Converging afterwards replaces nothing either.
pub(crate) fn a_release_that_differs_in_one_type_keeps_the_instances_of_others(harness: &dyn Harness) {
    let suite = Suite::begin(harness, Strategy::OneByOne);
    suite.is_up(&["web=1", "worker=1"]);
    let wanted = &["web=1", "worker=1"];
    let before = suite.place.identities();
    let worker = "worker".parse().expect("a legal process type");
    suite.does(&harness.good(), wanted, &Intent::DeployTypes([worker].into()));
    suite.eventually("both run", || suite.place.status().running() == Running::True);
    let after = suite.place.identities();
    assert_eq!((after.len(), &after[0]), (2, &before[0]), "web has not changed");
    assert_ne!(after[1], before[1], "worker has changed");
    suite.does(&harness.good(), wanted, &Intent::Converge(Which::All));
    assert_eq!(suite.place.identities(), after, "converging touches nothing");
}

/// A deploy that is cancelled before its gate changes nothing.
pub(crate) fn a_cancelled_deploy_leaves_the_same_instances(harness: &dyn Harness, strategy: Strategy) {
    let suite = Suite::begin(harness, strategy);
    suite.is_up(&["web=2"]);
    let before = suite.what_is_there();
    let cancel = Cancel::default();
    let mut say = |progress| {
        if matches!(progress, Progress::Started(_)) {
            cancel.cancel();
        }
    };
    let plan = with_long_gate(suite.plan(&harness.good(), &["web=2"], &Intent::Deploy));
    let cancelled = suite.place.deploy_watched(&plan, &cancel, &mut say);
    assert!(matches!(cancelled, Err(Error::Cancelled)), "it went on: {cancelled:?}");
    suite.is_as(&before);
}

/// A release with a missing input changes nothing.
pub(crate) fn a_refused_input_leaves_the_same_instances(harness: &dyn Harness) {
    let suite = Suite::begin(harness, harness.scheduler().usual_strategy());
    suite.is_up(&["web=2"]);
    let before = suite.what_is_there();
    let refused = suite.place.deploy(&suite.plan(&harness.refused(), &["web=2"], &Intent::Deploy));
    assert!(refused.is_err(), "it has no source: {refused:?}");
    suite.is_as(&before);
}

/// If an app's first deploy fails, nothing is left.
pub(crate) fn a_first_deploy_that_fails_leaves_nothing(harness: &dyn Harness) {
    let suite = Suite::begin(harness, harness.scheduler().usual_strategy());
    suite.fails(&harness.bad(), &["web=2"], &Intent::Deploy);
    suite.is_as(&(vec![], BTreeSet::new()));
}

/// With `overlap`, the old instances run until the new ones are ready, and end afterwards.
pub(crate) fn overlap_has_both_for_a_moment_and_one_afterwards(harness: &dyn Harness) {
    let suite = Suite::begin(harness, Strategy::Overlap);
    suite.is_up(&["web=2"]);
    let old = harness.alive();
    let seen = suite.rolls_out(&["web=2"]);
    assert!(
        seen.iter().any(|(_, alive)| alive.is_superset(&old) && alive.len() == 4),
        "old and new never stood side by side: {seen:?}"
    );
    let fewest = seen.iter().map(|(_, alive)| alive.len()).min();
    assert!(fewest >= Some(2), "fewer ran than before: {seen:?}");
    suite.has_only_new(&old, 2);
}

/// With `one-by-one`, no instance is replaced until each new one has passed a trial. After that, at most as many slots are
/// empty at a time as the rules permit.
pub(crate) fn one_by_one_touches_nothing_before_its_trial_and_then_as_few_as_it_may(harness: &dyn Harness) {
    let suite = Suite::begin(harness, Strategy::OneByOne);
    suite.is_up(&["web=3"]);
    let old = harness.alive();
    let seen = suite.rolls_out(&["web=3"]);
    let is_start = |progress: &Progress| matches!(progress, Progress::Started(_));
    let first = seen.iter().find(|(progress, _)| is_start(progress)).expect("something was started");
    assert!(first.1.is_superset(&old), "an old one ended before its successor was tried: {seen:?}");
    let fewest = seen.iter().map(|(_, alive)| alive.len()).min();
    assert!(fewest >= Some(2), "more than one slot was empty at a time: {seen:?}");
    suite.has_only_new(&old, 3);
}

/// With `stop-first`, old and new instances never live at the same time. After a failure the earlier release runs again in
/// new processes, and the error says so.
pub(crate) fn stop_first_never_has_two_and_is_back_after_a_failure(harness: &dyn Harness) {
    let suite = Suite::begin(harness, Strategy::StopFirst);
    suite.is_up(&["web=2"]);
    let old = harness.alive();
    for (progress, alive) in suite.rolls_out(&["web=2"]) {
        let has_both = alive.iter().any(|one| old.contains(one)) && !alive.is_subset(&old);
        assert!(!has_both, "old and new at the same time, at {progress:?}: {old:?}, {alive:?}");
    }
    suite.has_only_new(&old, 2);

    let old = harness.alive();
    let Error::DeployFailed { fates, aftermath, .. } =
        suite.fails(&harness.bad(), &["web=2"], &Intent::Deploy)
    else {
        panic!("it fails as a deploy does")
    };
    suite.has_only_new(&old, 2);
    let is_back = |fate: &Fate| matches!(fate, Fate::Restarted { outage: Some(_), .. });
    assert!(fates.len() == 2 && fates.values().all(is_back), "what is where: {fates:?}");
    assert_eq!(aftermath.len(), 2, "each slot was empty for a while: {aftermath:?}");
}

/// If the caller dies at any step, the same verb again ends as wanted: one instance in each slot, none of the old ones, and
/// no others.
pub(crate) fn the_same_deploy_again_after_a_death_at_any_step_ends_as_wanted(
    harness: &dyn Harness,
    strategy: Strategy,
) {
    the_same_again_after_a_death(harness, strategy, 0, &Intent::Deploy);
}

/// The same for a restart.
pub(crate) fn the_same_restart_again_after_a_death_at_any_step_ends_as_wanted(
    harness: &dyn Harness,
    strategy: Strategy,
) {
    the_same_again_after_a_death(harness, strategy, 1, &Intent::Restart(Which::All));
}

fn the_same_again_after_a_death(harness: &dyn Harness, strategy: Strategy, turn: usize, intent: &Intent) {
    let suite = Suite::begin(harness, strategy);
    suite.is_up(&["web=1"]);
    suite.at_each_death(turn, &["web=1"], intent, || {
        let old = harness.alive();
        suite.does(&harness.good(), &["web=1"], intent);
        suite.has_only_new(&old, 1);
    });
}

/// If the caller dies at any step, a stop ends old and new instances, and none comes back by itself.
pub(crate) fn a_stop_after_a_death_at_any_step_ends_old_and_new(harness: &dyn Harness, strategy: Strategy) {
    let suite = Suite::begin(harness, strategy);
    suite.is_up(&["web=1"]);
    suite.at_each_death(2, &["web=1"], &Intent::Deploy, || {
        let stopped = suite.place.stop(&Which::All, suite.grace, false);
        assert_eq!(stopped.remaining, [], "everything ended");
        suite.eventually("nothing is alive", || harness.alive().is_empty());
        assert_eq!(suite.place.status().running(), Running::False, "stopped, it said");
        suite.does(&harness.good(), &["web=1"], &Intent::Start(Which::All));
        suite.has_only_new(&BTreeSet::new(), 1);
    });
}

/// A failed deploy leaves nothing unfinished: scaling starts the missing instances of the running release and keeps the
/// others.
pub(crate) fn a_scale_after_a_failed_deploy_fills_what_is_wanted(harness: &dyn Harness) {
    let suite = Suite::begin(harness, harness.scheduler().usual_strategy());
    suite.is_up(&["web=1"]);
    let before = suite.place.identities();
    suite.fails(&harness.bad(), &["web=1"], &Intent::Deploy);
    suite.does(&harness.good(), &["web=2"], &Intent::Converge(Which::All));
    assert_eq!(suite.place.identities()[..1], before[..], "scaling up touched what ran");
    suite.has_only_new(&BTreeSet::new(), 2);
}

/// When only empty slots are filled, the failure of one does not end the others, and is reported.
pub(crate) fn a_start_of_which_one_type_fails_leaves_the_others_up(harness: &dyn Harness) {
    let suite = Suite::begin(harness, harness.scheduler().usual_strategy());
    let mut release = suite.release(&harness.good());
    release.processes[1].command = harness.bad().command;
    let deploy = |wanted: &[&str], intent: &Intent| {
        suite.place.deploy(&with_long_gate(suite.place.plan(release.clone(), wanted, intent)))
    };
    deploy(&["web=1", "worker=0"], &Intent::Deploy).expect("web comes up");
    let before = suite.place.identities();
    let started = deploy(&["web=2", "worker=1"], &Intent::Start(Which::All));
    let Err(Error::DeployFailed { failed, .. }) = &started else { panic!("worker.1 fails: {started:?}") };
    let slots: Vec<String> = failed.iter().map(|failed| failed.slot.to_string()).collect();
    assert_eq!(slots, ["worker.1"], "{failed:?}");
    assert_eq!(suite.place.identities()[..1], before[..], "a start touched what ran");
    suite.eventually("web.2 is up although worker.1 failed", || {
        let instances = suite.place.status().instances;
        let web = instances.iter().filter(|instance| instance.slot.process_type.as_str() == "web");
        web.filter(|instance| instance.state.is_alive()).count() == 2
    });
}

pub(super) fn with_long_gate(mut plan: Plan) -> Plan {
    for rules in plan.rules.values_mut() {
        rules.minimum_life = LONG_GATE;
    }
    plan
}

/// The recorded and the living instances of an app.
type There = (Vec<place::Identity>, BTreeSet<String>);

/// A guarantee that is tried on an app. The app is removed when this is dropped.
pub(super) struct Suite<'a> {
    pub(super) harness: &'a dyn Harness,
    pub(super) place: Place<'a>,
    strategy: Strategy,
    pub(super) grace: Duration,
}

impl<'a> Suite<'a> {
    pub(super) fn begin(harness: &'a dyn Harness, strategy: Strategy) -> Self {
        let place = Place { scheduler: harness.scheduler() };
        Self { harness, place, strategy, grace: harness.good().stop_timeout }
    }

    fn release(&self, subject: &Subject) -> Release {
        place::release(subject, &["web", "worker"], Some(self.strategy))
    }

    pub(super) fn plan(&self, subject: &Subject, wanted: &[&str], intent: &Intent) -> Plan {
        self.place.plan(self.release(subject), wanted, intent)
    }

    pub(super) fn is_up(&self, wanted: &[&str]) {
        self.does(&self.harness.good(), wanted, &Intent::Deploy);
        self.eventually("what is wanted runs", || self.place.status().running() == Running::True);
    }

    pub(super) fn does(&self, subject: &Subject, wanted: &[&str], intent: &Intent) {
        let done = self.place.deploy(&self.plan(subject, wanted, intent));
        assert!(done.is_ok(), "{intent:?} of {wanted:?}: {done:?}");
    }

    fn fails(&self, subject: &Subject, wanted: &[&str], intent: &Intent) -> Error {
        let plan = with_long_gate(self.plan(subject, wanted, intent));
        let error = self.place.deploy(&plan).expect_err("it does not come up");
        let Error::DeployFailed { failed, .. } = &error else { panic!("another failure: {error}") };
        let is_wanted = |slot: &Slot| slot.process_type.as_str() == "web";
        assert!(failed.iter().all(|failed| is_wanted(&failed.slot)) && !failed.is_empty(), "{failed:?}");
        error
    }

    /// Deploys the good release again. Returns the progress messages, each with the instances alive at that moment.
    fn rolls_out(&self, wanted: &[&str]) -> Vec<(Progress, BTreeSet<String>)> {
        let seen = RefCell::new(Vec::new());
        let mut say = |progress| seen.borrow_mut().push((progress, self.harness.alive()));
        let plan = self.plan(&self.harness.good(), wanted, &Intent::Deploy);
        self.place.deploy_watched(&plan, &Cancel::default(), &mut say).expect("it comes up");
        seen.take()
    }

    /// Kills the caller of a verb at its first step, then one stride further, and so on to its end, and calls `look` after
    /// each death. The first step depends on the strategy and on `turn`, the number of the guarantee.
    fn at_each_death(&self, turn: usize, wanted: &[&str], intent: &Intent, look: impl Fn()) {
        let stride = self.harness.stride();
        let strategy = Strategy::ALL.iter().position(|strategy| *strategy == self.strategy);
        let first = (turn + strategy.expect("each strategy is one of all")) % stride;
        let mut died = Vec::new();
        for step in (first..MANY).step_by(stride) {
            if !self.harness.dies_at(&self.plan(&self.harness.good(), wanted, intent), step) {
                assert!(!died.is_empty(), "it did not die at all");
                if stride > 1 {
                    // A test that leaves steps out says so. If stderr is closed, the message is lost.
                    let _ = writeln!(
                        io::stderr(),
                        "{:?}, {intent:?}: the caller died at the steps {died:?} of {step} or fewer",
                        self.strategy
                    );
                }
                return;
            }
            died.push(step);
            look();
        }
        panic!("after {MANY} steps it was still not over");
    }

    fn what_is_there(&self) -> There {
        (self.place.identities(), self.harness.alive())
    }

    /// Waits until everything is as it was before.
    fn is_as(&self, before: &There) {
        self.eventually("only what was there before", || self.what_is_there() == *before);
    }

    /// Waits until nothing of `old` is left and `count` instances run.
    pub(super) fn has_only_new(&self, old: &BTreeSet<String>, count: usize) {
        self.eventually("all of it is new and runs", || {
            let alive = self.harness.alive();
            let status = self.place.status();
            alive.len() == count
                && alive.is_disjoint(old)
                && status.instances.len() == count
                && status.running() == Running::True
        });
    }

    pub(super) fn eventually(&self, fact: &str, holds: impl Fn() -> bool) {
        let begin = Instant::now();
        while !holds() {
            let there = (self.place.status(), self.harness.alive());
            let patience = self.harness.patience();
            assert!(
                begin.elapsed() < patience,
                "{:?}: not within {patience:?}: {fact}; {there:?}",
                self.strategy
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Suite<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let stopped = self.place.stop(&Which::All, self.grace, true);
            assert_eq!(stopped.remaining, [], "everything ended");
            assert_eq!(self.harness.alive(), BTreeSet::new(), "a removed app has instances");
        }
    }
}
