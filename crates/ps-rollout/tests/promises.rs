//! The promises, one by one, with an executor that does everything at once, and fails if the test says so.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::time::Duration;

use formation::Slot;
use ps_rollout::{
    Action, Change, Condition, Event, Failure, Fate, Lane, Observed, Outcome, Plan, Present, Revision,
    Rollout, Rules, Run, State, Strategy, TypePlan,
};

#[path = "promises/order.rs"]
mod order;

const NOW: Duration = Duration::from_secs(100);
const SECOND: Duration = Duration::from_secs(1);

/// A rollout of types with two slots each, all of them filled and to be replaced. Their runs are 1, 2, 3 …, in the order of the
/// names.
fn deploy(types: &[(&str, Strategy)]) -> Rollout {
    deploy_by(types, |_| ())
}

/// Rules with one slot at a time, no waiting and no checks.
fn usual_rules(strategy: Strategy) -> Rules {
    Rules {
        strategy,
        max_parallel: NonZeroU16::MIN,
        max_trials: None,
        is_checked: false,
        may_end: false,
        minimum_life: Duration::ZERO,
        deadline: Duration::from_secs(30),
    }
}

/// As [`deploy`], with other rules.
fn deploy_by(types: &[(&str, Strategy)], change: impl Fn(&mut Rules)) -> Rollout {
    let mut number = 0;
    let mut types_of_plan = BTreeMap::new();
    for (name, strategy) in types {
        let mut rules = usual_rules(*strategy);
        change(&mut rules);
        let slots = (1..=2).map(|index| {
            number += 1;
            (index, Change::Replace(Present { number, lane: Lane::Own, is_up: true }))
        });
        let planned = TypePlan { rules, after: Vec::new(), slots: slots.collect() };
        types_of_plan.insert(name.parse().expect("a legal process type"), planned);
    }
    Rollout::new(&Plan { types: types_of_plan, next_number: number + 1 })
}

/// The answer of an executor when everything succeeds.
fn success(action: Action) -> Option<Event> {
    match action {
        Action::Start { run, .. } => Some(Event::Started(run)),
        Action::Probe(run) => Some(Event::Ready(run)),
        Action::Admit(run) => Some(Event::Admitted(run)),
        Action::Withdraw(run) => Some(Event::Withdrawn(run)),
        Action::End(run) => Some(Event::Ended(run)),
        Action::Forget(_) => None,
        Action::Commit(_) => Some(Event::Recorded(Revision::New)),
        Action::PutBack(_) => Some(Event::Recorded(Revision::Old)),
    }
}

/// Carries out a rollout from an event on. `answer` may replace the answer to an action. Returns the actions in words such as
/// `start web.1@3 second`.
fn carry_out(
    rollout: &mut Rollout,
    event: Event,
    answer: impl FnMut(&Action) -> Option<Event>,
) -> Vec<String> {
    carry_out_at(NOW, rollout, event, answer)
}

fn carry_out_at(
    now: Duration,
    rollout: &mut Rollout,
    event: Event,
    mut answer: impl FnMut(&Action) -> Option<Event>,
) -> Vec<String> {
    let (mut done, mut events) = (Vec::new(), vec![event]);
    while !events.is_empty() {
        for action in rollout.handle(events.remove(0), now) {
            done.push(words(&action));
            let other = answer(&action);
            events.extend(other.or_else(|| success(action)));
        }
    }
    done
}

fn words(action: &Action) -> String {
    let lane = |lane: &Lane| if *lane == Lane::Own { "own" } else { "second" };
    match action {
        Action::Start { run, lane: on, .. } => format!("start {run} {}", lane(on)),
        Action::Probe(run) => format!("probe {run}"),
        Action::Admit(run) => format!("admit {run}"),
        Action::Withdraw(run) => format!("withdraw {run}"),
        Action::End(run) => format!("end {run}"),
        Action::Forget(run) => format!("forget {run}"),
        Action::Commit(_) => "commit".to_owned(),
        Action::PutBack(_) => "put back".to_owned(),
    }
}

/// Fails the checks of every new run of one slot.
fn not_ready(slot: &'static str) -> impl FnMut(&Action) -> Option<Event> {
    move |action| match action {
        Action::Probe(run) if run.slot.to_string() == slot => {
            Some(Event::NotReady { run: run.clone(), reason: "it answered 500".to_owned() })
        }
        _ => None,
    }
}

fn fate(outcome: &Outcome, slot: &str) -> Fate {
    outcome.slots[&slot.parse::<Slot>().expect("a legal slot")].clone()
}

fn run(slot: &str, number: u64) -> Run {
    Run { slot: slot.parse().expect("a legal slot"), number }
}

fn outcome(rollout: &Rollout) -> Outcome {
    rollout.outcome().unwrap_or_else(|| panic!("it is not over: {rollout:?}"))
}

fn touched(done: &[String], old: &str) -> bool {
    done.iter().any(|what| what.ends_with(old))
}

#[test]
fn overlap_starts_every_new_run_before_it_ends_an_old_one() {
    let mut rollout = deploy(&[("web", Strategy::Overlap)]);
    let done = carry_out(&mut rollout, Event::Begin, |_| None);
    let at =
        |what: &str| done.iter().position(|done| done == what).unwrap_or_else(|| panic!("{what}: {done:?}"));
    assert!(at("admit web.1@3") < at("commit") && at("admit web.2@4") < at("commit"), "{done:?}");
    assert!(at("commit") < at("withdraw web.1@1") && at("withdraw web.1@1") < at("end web.1@1"), "{done:?}");
}

#[test]
fn one_by_one_proves_every_slot_in_a_trial_before_it_moves_the_first() {
    let mut rollout = deploy(&[("web", Strategy::OneByOne)]);
    let done = carry_out(&mut rollout, Event::Begin, |_| None);
    let coming: Vec<&str> = done
        .iter()
        .map(String::as_str)
        .filter(|what| what.starts_with("start") || what.starts_with("end"))
        .collect();
    let trials = ["start web.1@3 second", "end web.1@3", "start web.2@4 second", "end web.2@4"];
    let moves = ["end web.1@1", "start web.1@5 own", "end web.2@2", "start web.2@6 own"];
    assert_eq!(coming, [trials, moves].concat(), "{done:?}");
}

/// A trial takes the place of no other run, so as many run at the same time as are permitted. After the trials, a run is up as
/// soon as its checks hold, and the next slot follows; the commit waits until the last run has lived for the minimum as well.
#[test]
fn after_the_trials_a_run_whose_checks_hold_keeps_no_other_slot_waiting_but_the_commit() {
    let mut rollout = deploy_by(&[("web", Strategy::OneByOne)], |rules| {
        (rules.max_trials, rules.is_checked) = (NonZeroU16::new(2), true);
        rules.minimum_life = SECOND;
    });
    let steps = [(Event::Begin, NOW), (Event::Tick, NOW + SECOND), (Event::Tick, NOW + 2 * SECOND)];
    let mut shown = |(event, now)| {
        let mut done = carry_out_at(now, &mut rollout, event, |_| None);
        done.retain(|what| !what.starts_with("probe") && !what.starts_with("forget"));
        done
    };
    let [trials, moves, end] = steps.map(&mut shown);
    assert_eq!(trials, ["start web.1@3 second", "start web.2@4 second"]);
    let replaced = |old: &str, new: &str| {
        ["withdraw ", "end "]
            .map(|what| what.to_owned() + old)
            .into_iter()
            .chain([format!("start {new} own"), format!("admit {new}")])
    };
    let slots = [replaced("web.1@1", "web.1@5"), replaced("web.2@2", "web.2@6")];
    let moved: Vec<String> = slots.into_iter().flatten().collect();
    assert_eq!(moves, [vec!["end web.1@3".to_owned(), "end web.2@4".to_owned()], moved].concat());
    assert_eq!(end, ["commit"]);
}

#[test]
fn beside_the_old_run_a_new_one_whose_checks_hold_keeps_no_other_slot_waiting_but_the_old_ones_stay_until_all_have_lived()
 {
    let mut rollout = deploy_by(&[("web", Strategy::Overlap)], |rules| {
        (rules.is_checked, rules.minimum_life) = (true, SECOND);
    });
    let mut begun = carry_out(&mut rollout, Event::Begin, |_| None);
    begun.retain(|what| !what.starts_with("probe"));
    assert_eq!(begun, ["start web.1@3 second", "start web.2@4 second"]);
    let rest = carry_out_at(NOW + SECOND, &mut rollout, Event::Tick, |_| None);
    assert!(rest.contains(&"end web.1@1".to_owned()) && rest.contains(&"end web.2@2".to_owned()), "{rest:?}");
}

/// A run without checks is up when it has lived for the minimum time; there is no earlier sign.
#[test]
fn after_the_trials_a_run_without_checks_keeps_the_next_slot_waiting_until_it_has_lived() {
    let mut rollout = deploy_by(&[("web", Strategy::OneByOne)], |rules| {
        rules.max_trials = NonZeroU16::new(2);
        rules.minimum_life = SECOND;
    });
    carry_out(&mut rollout, Event::Begin, |_| None);
    let moved = carry_out_at(NOW + SECOND, &mut rollout, Event::Tick, |_| None);
    assert!(moved.contains(&"start web.1@5 own".to_owned()), "{moved:?}");
    assert!(!touched(&moved, "web.2@2"), "{moved:?}");
}

#[test]
fn one_slot_that_fails_its_gate_leaves_every_old_run_of_every_type_alone() {
    for strategy in [Strategy::Overlap, Strategy::OneByOne] {
        let mut rollout = deploy(&[("web", strategy), ("worker", Strategy::OneByOne)]);
        let done = carry_out(&mut rollout, Event::Begin, not_ready("worker.2"));
        for (slot, number) in [("web.1", 1), ("web.2", 2), ("worker.1", 3), ("worker.2", 4)] {
            assert!(!touched(&done, &run(slot, number).to_string()), "{slot} was touched: {done:?}");
            assert_eq!(fate(&outcome(&rollout), slot), Fate::Kept(run(slot, number)));
        }
        let failures = outcome(&rollout).failures;
        let reason = Failure::NotReady("it answered 500".to_owned());
        assert_eq!(failures, [(run("worker.2", 0).slot, reason)]);
    }
}

#[test]
fn where_each_slot_stands_for_itself_one_that_fails_takes_no_other_with_it() {
    let fill = || {
        let rules = Rules {
            strategy: Strategy::Overlap,
            max_parallel: NonZeroU16::MAX,
            max_trials: None,
            is_checked: false,
            may_end: false,
            minimum_life: Duration::ZERO,
            deadline: Duration::from_secs(30),
        };
        let kept = Change::Keep(Present { number: 1, lane: Lane::Own, is_up: true });
        let slots = BTreeMap::from([(1, kept), (2, Change::Start), (3, Change::Start)]);
        let web = TypePlan { rules, after: Vec::new(), slots };
        let types = BTreeMap::from([("web".parse().expect("a legal process type"), web)]);
        Rollout::new(&Plan { types, next_number: 2 }).each_for_itself()
    };
    let mut some = fill();
    let done = carry_out(&mut some, Event::Begin, not_ready("web.2"));
    let outcome_of_some = outcome(&some);
    assert_eq!(outcome_of_some.cause, None, "{done:?}");
    assert_eq!(fate(&outcome_of_some, "web.1"), Fate::Kept(run("web.1", 1)));
    assert_eq!(fate(&outcome_of_some, "web.2"), Fate::Empty);
    assert_eq!(fate(&outcome_of_some, "web.3"), Fate::Started(run("web.3", 3)));
    assert_eq!(outcome_of_some.failures.len(), 1);
    assert!(done.contains(&"end web.2@2".to_owned()), "{done:?}");

    // If no new run comes up, there is nothing to record.
    let mut none = fill();
    carry_out(&mut none, Event::Begin, |action| match action {
        Action::Probe(run) => {
            Some(Event::NotReady { run: run.clone(), reason: "it answered 500".to_owned() })
        }
        _ => None,
    });
    assert_eq!(outcome(&none).cause.and_then(|cause| cause.slot), Some(run("web.2", 0).slot));
}

#[test]
fn what_stops_first_is_started_again_when_it_fails_and_others_are_left_alone() {
    let mut rollout = deploy(&[("web", Strategy::Overlap), ("worker", Strategy::StopFirst)]);
    let is_new = |run: &Run| run.number <= 8;
    let mut fail = not_ready("worker.1");
    let done = carry_out(&mut rollout, Event::Begin, |action| match action {
        Action::Probe(run) if is_new(run) => fail(action),
        _ => None,
    });
    let outcome = outcome(&rollout);
    assert_eq!(fate(&outcome, "web.1"), Fate::Kept(run("web.1", 1)), "{done:?}");
    for slot in ["worker.1", "worker.2"] {
        assert!(matches!(fate(&outcome, slot), Fate::Restarted { outage: Some(_), .. }), "{outcome:?}");
    }
}

#[test]
fn a_cancel_before_the_commit_puts_back_and_one_after_it_changes_nothing() {
    let mut early = deploy(&[("web", Strategy::Overlap)]);
    // The second admission is not answered.
    let hang = |action: &Action| matches!(action, Action::Admit(_)).then_some(Event::Tick);
    carry_out(&mut early, Event::Begin, hang);
    assert_eq!(early.state(), State::Rolling);
    carry_out(&mut early, Event::Cancel, |_| None);
    assert_eq!(outcome(&early).cause.map(|cause| cause.failure), Some(Failure::Cancelled));
    assert_eq!(fate(&outcome(&early), "web.1"), Fate::Kept(run("web.1", 1)));

    let mut late = deploy(&[("web", Strategy::Overlap)]);
    let cancel = |action: &Action| matches!(action, Action::Commit(_)).then_some(Event::Cancel);
    carry_out(&mut late, Event::Begin, cancel);
    carry_out(&mut late, Event::Recorded(Revision::New), |_| None);
    assert_eq!(outcome(&late).cause, None);
}

#[test]
fn a_failure_while_slots_are_moved_says_what_is_where() {
    let mut rollout = deploy(&[("web", Strategy::OneByOne)]);
    let died = |run: &Run| Event::Died { run: run.clone(), how: "exit status 1".to_owned() };
    // web.2 passes its trial and fails on its own lane.
    let done = carry_out(&mut rollout, Event::Begin, |action| match action {
        Action::Start { run, lane: Lane::Own, .. } if *run == self::run("web.2", 6) => Some(died(run)),
        _ => None,
    });
    let outcome = outcome(&rollout);
    for slot in ["web.1", "web.2"] {
        assert!(matches!(fate(&outcome, slot), Fate::Restarted { outage: Some(_), .. }), "{done:?}");
    }
    assert_eq!(outcome.cause.and_then(|cause| cause.slot), Some(run("web.2", 0).slot));
}

#[test]
fn an_outage_is_the_time_in_which_clients_found_neither_the_old_run_nor_the_new_one() {
    let mut rollout = deploy(&[("web", Strategy::OneByOne)]);
    let died = |run: &Run| Event::Died { run: run.clone(), how: "exit status 1".to_owned() };
    let mut now = NOW;
    let mut events = vec![Event::Begin];
    while !events.is_empty() {
        for action in rollout.handle(events.remove(0), now) {
            // Each new run on the own lane, and each old one that comes back, takes two seconds to be found.
            now += if matches!(action, Action::Start { lane: Lane::Own, .. }) {
                2 * SECOND
            } else {
                Duration::ZERO
            };
            match action {
                // web.1 has been served by its new run for the time that web.2 takes to fail.
                Action::Start { ref run, lane: Lane::Own, .. } if *run == self::run("web.2", 6) => {
                    now += 60 * SECOND;
                    events.push(died(run));
                }
                action => events.extend(success(action)),
            }
        }
    }
    let outcome = outcome(&rollout);
    let outage = |slot: &str| match fate(&outcome, slot) {
        Fate::Restarted { outage, .. } => outage.expect("it is found again"),
        other => panic!("{slot}: {other:?}"),
    };
    assert_eq!(outage("web.1"), 4 * SECOND, "twice, while it was moved and while it was put back");
    assert_eq!(outage("web.2"), 64 * SECOND);
}

#[test]
fn a_deadline_that_passes_is_a_failure() {
    let mut rollout = deploy(&[("web", Strategy::Overlap)]);
    let hang = |action: &Action| matches!(action, Action::Probe(_)).then_some(Event::Tick);
    carry_out(&mut rollout, Event::Begin, hang);
    let due = rollout.due().expect("a run that is probed has a deadline");
    assert_eq!(due, NOW + Duration::from_secs(30));
    assert!(rollout.handle(Event::Tick, due).contains(&Action::End(run("web.1", 3))));
    assert_eq!(rollout.state(), State::PuttingBack);
}

#[test]
fn a_run_that_asks_for_more_time_gets_it_and_only_while_it_is_awaited() {
    let mut rollout = deploy(&[("web", Strategy::Overlap)]);
    let hang = |action: &Action| matches!(action, Action::Probe(_)).then_some(Event::Tick);
    carry_out(&mut rollout, Event::Begin, hang);
    let soon = NOW + Duration::from_secs(29);
    let extended = |seconds| Event::Extended { run: run("web.1", 3), time: Duration::from_secs(seconds) };
    rollout.handle(extended(1), soon);
    assert_eq!(rollout.due(), Some(NOW + Duration::from_secs(30)), "it has as much already");
    rollout.handle(extended(20), soon);
    assert_eq!(rollout.due(), Some(soon + Duration::from_secs(20)));
    rollout.handle(Event::Extended { run: run("web.1", 99), time: Duration::MAX }, soon);
    assert_eq!(rollout.due(), Some(soon + Duration::from_secs(20)), "nobody knows that run");
    rollout.handle(Event::Ready(run("web.1", 3)), soon);
    rollout.handle(extended(u64::MAX), soon);
    assert_eq!(rollout.due(), Some(soon + Duration::from_secs(30)), "that of the next one");
}

#[test]
fn a_run_that_was_started_late_has_its_whole_deadline() {
    let mut rollout = deploy(&[("web", Strategy::Overlap)]);
    let ordered = rollout.handle(Event::Begin, NOW);
    let starts = ordered.iter().filter_map(|action| match action {
        Action::Start { run, .. } => Some(run.clone()),
        _ => None,
    });
    let late = NOW + Duration::from_secs(40);
    for run in starts.collect::<Vec<_>>() {
        rollout.handle(Event::Started(run), late);
    }
    assert_eq!(rollout.handle(Event::Tick, late), []);
    assert_eq!(rollout.due(), Some(late + Duration::from_secs(30)));
}

#[test]
fn an_executor_that_takes_over_orders_again_what_nobody_knows_was_done() {
    let mut rollout = deploy(&[("web", Strategy::Overlap)]);
    let lost = rollout.handle(Event::Begin, NOW);
    assert_eq!(lost.iter().map(words).collect::<Vec<_>>(), ["start web.1@3 second"]);
    let found = |slot, number| Observed {
        run: run(slot, number),
        lane: Lane::Own,
        revision: Revision::Old,
        condition: Condition::Up,
    };
    let observed = vec![found("web.1", 1), found("web.2", 2)];
    assert_eq!(rollout.clone().handle(Event::Resumed(observed.clone()), NOW), lost);
    let done = carry_out(&mut rollout, Event::Resumed(observed), |_| None);
    assert_eq!(outcome(&rollout).cause, None, "{done:?}");
}

#[test]
fn a_slot_that_a_person_stops_takes_no_further_part() {
    let mut rollout = deploy(&[("web", Strategy::Overlap)]);
    let stop = |action: &Action| {
        let is_second = matches!(action, Action::Probe(run) if run.slot.index == 2);
        is_second.then(|| Event::Stopped(run("web.2", 0).slot))
    };
    let done = carry_out(&mut rollout, Event::Begin, stop);
    let outcome = outcome(&rollout);
    assert_eq!(
        fate(&outcome, "web.1"),
        Fate::Replaced { old: run("web.1", 1), new: run("web.1", 3) },
        "{done:?}"
    );
    assert_eq!(fate(&outcome, "web.2"), Fate::Stopped);
    assert!(touched(&done, "web.2@2") && touched(&done, "web.2@4"), "{done:?}");
}

#[test]
fn a_number_that_a_run_was_found_with_is_given_to_no_other() {
    let mut rollout = deploy(&[("web", Strategy::Overlap)]);
    let unknown = Observed {
        run: run("web.1", 70),
        lane: Lane::Second,
        revision: Revision::New,
        condition: Condition::Over,
    };
    rollout.handle(Event::Resumed(vec![unknown]), NOW);
    assert_eq!(rollout.take_number(), 71);
    let died = run("web.2", 2);
    rollout.handle(Event::Respawned { died, run: run("web.2", 90) }, NOW);
    assert_eq!(rollout.take_number(), 91);
}

#[test]
fn after_a_restart_of_the_machine_waiting_begins_again() {
    let mut rollout = deploy(&[("web", Strategy::StopFirst)]);
    let hang = |action: &Action| matches!(action, Action::Start { .. }).then_some(Event::Tick);
    carry_out(&mut rollout, Event::Begin, hang);
    let (soon, later) = (Duration::from_secs(5), Duration::from_secs(36));
    rollout.handle(Event::Resumed(vec![]), soon);
    assert_eq!(rollout.due(), Some(soon + Duration::from_secs(30)));
    // The deadline passes, and the old revision comes up.
    let mut events = vec![Event::Tick];
    while let Some(event) = events.pop() {
        events.extend(rollout.handle(event, later).into_iter().filter_map(success));
    }
    let back = fate(&outcome(&rollout), "web.1");
    assert!(
        matches!(&back, Fate::Restarted { outage: Some(outage), .. } if soon + *outage == later),
        "{back:?}"
    );
}
