//! The guarantees of a stop that another program orders during a deploy.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::thread::{self, JoinHandle};

use formation::Which;
use ps_rollout::Strategy;

use super::harness::Harness;
use super::place;
use super::rollouts::{Promise, Suite, with, with_long_gate};
use crate::scheduler::{Requester, StopOrder, Stopped};
use crate::{Cancel, DeployOutcome, Error, Intent, Progress, Running};

/// The guarantees when the rollout in progress receives the stop.
pub fn of_stops() -> Vec<Promise> {
    let mut promises: Vec<Promise> = Vec::new();
    for strategy in [Strategy::Overlap, Strategy::OneByOne] {
        promises.push(with(strategy, a_slot_that_is_stopped_during_a_deploy_stays_empty));
        promises.push(with(strategy, an_app_that_is_stopped_during_a_deploy_runs_nothing_of_it));
    }
    promises
}

/// The slot stays empty before and after the commit, and the others get the new release.
fn a_slot_that_is_stopped_during_a_deploy_stays_empty(harness: &dyn Harness, strategy: Strategy) {
    let suite = Suite::begin(harness, strategy);
    suite.is_up(&["web=2"]);
    let old = harness.alive();
    let (deployed, stopped) = deploy_and_stop(&suite, &"web.2".parse().expect("an instance"));
    assert!(deployed.is_ok(), "web.1 has come up: {deployed:?}");
    let stopped = stopped.expect("it is stopped");
    let ended: Vec<String> = stopped.ended.iter().map(|(slot, _)| slot.to_string()).collect();
    assert_eq!((ended, stopped.remaining), (vec!["web.2".to_owned()], vec![]));
    suite.eventually("nothing but the new web.1 is alive", || {
        let alive = harness.alive();
        alive.len() == 1 && alive.is_disjoint(&old)
    });
    suite.does(&harness.good(), &["web=2"], &Intent::Start(Which::All));
    suite.has_only_new(&old, 2);
}

/// If no slot is left to test the new release, the deploy fails. Slots that a person has stopped stay empty.
fn an_app_that_is_stopped_during_a_deploy_runs_nothing_of_it(harness: &dyn Harness, strategy: Strategy) {
    let suite = Suite::begin(harness, strategy);
    suite.is_up(&["web=2"]);
    let (deployed, stopped) = deploy_and_stop(&suite, &Which::All);
    assert!(deployed.is_err(), "nothing of it came up: {deployed:?}");
    assert_eq!(stopped.expect("it is stopped").remaining, []);
    suite.eventually("nothing is alive", || harness.alive().is_empty());
    assert_eq!(suite.place.status().running(), Running::False, "stopped, it said");
    suite.does(&harness.good(), &["web=2"], &Intent::Start(Which::All));
    suite.has_only_new(&BTreeSet::new(), 2);
}

/// Deploys the good release, and stops a part of the app from another program once an instance was started.
fn deploy_and_stop(
    suite: &Suite<'_>,
    which: &Which,
) -> (Result<DeployOutcome, Error>, Result<Stopped, Error>) {
    let stopping: RefCell<Option<JoinHandle<Result<Stopped, Error>>>> = RefCell::new(None);
    let mut say = |progress| {
        if matches!(progress, Progress::Started(_)) && stopping.borrow().is_none() {
            let order =
                StopOrder { app: place::app(), which: which.clone(), grace: suite.grace, remove: false };
            let another = suite.harness.another();
            let stop = move || {
                let mut requester = Requester { tell: &mut |_| (), cancel: &Cancel::default(), lock: None };
                another().stop(&order, &mut requester)
            };
            stopping.replace(Some(thread::spawn(stop)));
        }
    };
    let plan = with_long_gate(suite.plan(&suite.harness.good(), &["web=2"], &Intent::Deploy));
    let deployed = suite.place.deploy_watched(&plan, &Cancel::default(), &mut say);
    let stopped = stopping.take().expect("something was started").join().expect("it does not panic");
    (deployed, stopped)
}
