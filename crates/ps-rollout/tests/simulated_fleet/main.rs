//! A simulated fleet with a simulated clock carries out random rollouts: runs that are slow, refused, not ready, die,
//! finish or would not end; executors that die at any step and are succeeded by others; machines that restart; people
//! who cancel and stop. The laws in `laws` must hold throughout, and executors that are broken on purpose must break them.
//!
//! `FORMATION_TEST_LONG=1` carries out a million rollouts, the plain run 20,000. `FORMATION_TEST_SEED=7` carries out others;
//! a failure names its seed and the shortest list of rolls that leads to it.

mod dice;
mod executor;
mod fleet;
mod laws;
mod order_laws;
mod sabotage;
mod scenario;

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use dice::Dice;
use executor::{End, Simulation};
use sabotage::Sabotage;
use scenario::Scenario;

/// Carries out one rollout; an error names the law that was broken.
fn carry_out(
    rolls: &[u16],
    sabotage: Option<Sabotage>,
    story: Option<&mut Vec<String>>,
) -> Result<End, String> {
    let mut dice = Dice::new(rolls);
    let scenario = Scenario::roll(&mut dice);
    Simulation::new(&scenario, dice, sabotage, story).run()
}

/// The history of one rollout, line by line.
fn story(rolls: &[u16], sabotage: Option<Sabotage>) -> String {
    let mut lines = vec![format!("{:?}", Scenario::roll(&mut Dice::new(rolls)).slots)];
    let _ = carry_out(rolls, sabotage, Some(&mut lines));
    // The debug form of a slot is too long to be read.
    let text = lines.join("\n").replace("Slot { process_type: ProcessType(\"", "");
    text.replace("\"), index: ", ".").replace(" }, number: ", "@").replace("Run { slot: ", "")
}

fn seed() -> u64 {
    std::env::var("FORMATION_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

fn runner(count: u32) -> TestRunner {
    let mut bytes = [1; 16];
    bytes[..8].copy_from_slice(&seed().to_le_bytes());
    let config = Config { cases: count, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::XorShift, &bytes))
}

fn rolls() -> impl Strategy<Value = Vec<u16>> {
    proptest::collection::vec(any::<u16>(), 0..600)
}

/// Carries out `count` rollouts. Returns the shortest one that breaks a law, if one does.
fn search(count: u32, sabotage: Option<Sabotage>) -> Option<(String, Vec<u16>)> {
    let carry_out =
        |rolls: Vec<u16>| carry_out(&rolls, sabotage, None).map(|_| ()).map_err(TestCaseError::fail);
    match runner(count).run(&rolls(), carry_out) {
        Ok(()) => None,
        Err(TestError::Fail(reason, rolls)) => Some((reason.to_string(), rolls)),
        Err(TestError::Abort(reason)) => panic!("the search was given up: {reason}"),
    }
}

#[test]
fn no_random_rollout_breaks_a_law() {
    let is_long = std::env::var_os("FORMATION_TEST_LONG").is_some_and(|value| value == "1");
    let found = search(if is_long { 1_000_000 } else { 20_000 }, None);
    if let Some((reason, rolls)) = found {
        let story = story(&rolls, None);
        panic!("with FORMATION_TEST_SEED={} and the rolls {rolls:?}: {reason}\n{story}", seed());
    }
}

/// The first word of the debug form of a value.
fn word(value: &dyn std::fmt::Debug) -> String {
    format!("{value:?}").split([' ', '(']).next().unwrap_or_default().to_owned()
}

#[test]
fn the_search_reaches_every_fate_every_failure_and_a_death_in_every_state() {
    let (mut runner, mut reached) = (runner(1), BTreeSet::new());
    for _ in 0..5_000 {
        let rolls = rolls().new_tree(&mut runner).expect("a list of numbers").current();
        let Ok(End { outcome, takeovers }) = carry_out(&rolls, None, None) else { continue };
        reached.extend(outcome.slots.values().map(|fate| format!("fate {}", word(fate))));
        reached.extend(outcome.cause.iter().map(|cause| format!("cause {}", word(&cause.failure))));
        reached.extend(outcome.troubles.iter().map(|(_, failure)| format!("trouble {}", word(failure))));
        reached.extend(takeovers.iter().map(|state| format!("takeover {state:?}")));
        reached.extend(outcome.remains.iter().map(|_| "remains".to_owned()));
        reached.extend(outcome.unrecorded.iter().map(|_| "unrecorded".to_owned()));
        let is_left_out = outcome.cause.is_none() && !outcome.failures.is_empty();
        reached.extend(is_left_out.then(|| "left out".to_owned()));
    }
    let wanted = [
        "fate Kept Started Replaced Ended Empty Restarted Lost Stopped",
        "cause Refused NotReady Deadline Died Remains NotAdmitted NotRecorded Cancelled Stopped",
        "trouble Refused NotReady Deadline Died",
        "takeover Idle Rolling PuttingBack Committed",
    ];
    let each = |line: &str| {
        let (kind, words) = line.split_once(' ').unwrap_or_default();
        words.split(' ').map(|word| format!("{kind} {word}")).collect::<Vec<_>>()
    };
    let wanted =
        wanted.into_iter().flat_map(each).chain(["remains", "unrecorded", "left out"].map(str::to_owned));
    let missed: Vec<String> = wanted.filter(|word| !reached.contains(word)).collect();
    assert!(missed.is_empty(), "not reached: {missed:?}; reached: {reached:?}");
}

/// Checks that the search finds this sabotage, by one of these laws.
fn is_caught(sabotage: Sabotage, laws: &[&str]) {
    let (reason, rolls) =
        search(20_000, Some(sabotage)).unwrap_or_else(|| panic!("{sabotage:?} was not caught"));
    let is_caught_by_law = laws.iter().any(|law| reason.contains(law));
    assert!(is_caught_by_law, "by another law: {reason}\n{}", story(&rolls, Some(sabotage)));
}

#[test]
fn an_engine_that_ends_the_old_run_first_is_caught() {
    is_caught(Sabotage::EndsTheOldFirst, &["touched before the gate"]);
}

#[test]
fn an_engine_that_waives_the_minimum_life_is_caught() {
    is_caught(Sabotage::WaivesTheMinimumLife, &["touched before the gate"]);
}

#[test]
fn an_engine_that_knows_no_limit_is_caught() {
    is_caught(Sabotage::KnowsNoLimit, &["too many at once", "too few ready"]);
}

#[test]
fn an_executor_that_forgets_a_run_when_it_takes_over_is_caught() {
    is_caught(
        Sabotage::ForgetsARunOnResume,
        &["is recorded", "is not", "two on one lane", "two of a stop-first"],
    );
}

#[test]
fn an_executor_that_says_ended_too_early_is_caught() {
    is_caught(
        Sabotage::SaysEndedTooEarly,
        &["two on one lane", "two of a stop-first", "that lives was forgotten"],
    );
}

#[test]
fn an_executor_that_records_nothing_is_caught() {
    is_caught(Sabotage::RecordsNothing, &["is not recorded"]);
}

#[test]
fn an_executor_without_timers_is_caught() {
    is_caught(Sabotage::HasNoTimers, &["never ends"]);
}

#[test]
fn an_executor_that_never_forgets_is_caught() {
    is_caught(Sabotage::NeverForgets, &["was never forgotten"]);
}

#[test]
fn an_executor_that_ignores_a_cancel_is_caught() {
    is_caught(Sabotage::IgnoresCancel, &["although cancelled"]);
}

#[test]
fn an_executor_that_knows_one_lane_is_caught() {
    is_caught(Sabotage::KnowsOneLane, &["two on one lane"]);
}

#[test]
fn an_executor_that_restarts_nothing_is_caught() {
    is_caught(Sabotage::RestartsNothing, &["never lived"]);
}

#[test]
fn an_executor_that_switches_clients_before_the_commit_is_caught() {
    is_caught(Sabotage::SwitchesClients, &["too few ready"]);
}

#[test]
fn an_engine_that_overlaps_what_stops_first_is_caught() {
    is_caught(Sabotage::OverlapsWhatStopsFirst, &["two of a stop-first"]);
}

#[test]
fn an_engine_that_overlaps_what_goes_one_by_one_is_caught() {
    is_caught(Sabotage::OverlapsWhatGoesOneByOne, &["not on its own lane"]);
}

#[test]
fn an_engine_that_knows_no_order_of_types_is_caught() {
    is_caught(Sabotage::KnowsNoOrder, &["started before", "ended before"]);
}
