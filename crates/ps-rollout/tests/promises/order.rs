//! Types that wait for each other.

use formation::{Milestone, Wait};

use super::*;

/// A type with one slot: its name, its strategy, the change of the slot, and the types that it waits for.
type Planned<'a> = (&'a str, Strategy, fn(u64) -> Change, &'a [(&'a str, Milestone)]);

fn present(number: u64, is_up: bool) -> Present {
    Present { number, lane: Lane::Own, is_up }
}

fn replace(number: u64) -> Change {
    Change::Replace(present(number, true))
}

fn stop(number: u64) -> Change {
    Change::Stop(present(number, true))
}

fn start(_: u64) -> Change {
    Change::Start
}

/// The old runs are 1, 2, 3 …, in the order of the names.
fn rollout(types: &[Planned<'_>]) -> Rollout {
    let mut types_of_plan = BTreeMap::new();
    for ((name, strategy, change, after), number) in types.iter().zip(1..) {
        let rules = usual_rules(*strategy);
        let wait = |(name, milestone): &(&str, Milestone)| Wait {
            process_type: name.parse().expect("a legal process type"),
            milestone: *milestone,
        };
        let after = after.iter().map(wait).collect();
        let planned = TypePlan { rules, after, slots: BTreeMap::from([(1, change(number))]) };
        types_of_plan.insert(name.parse().expect("a legal process type"), planned);
    }
    let next_number = 1 + u64::try_from(types.len()).expect("a small number");
    Rollout::new(&Plan { types: types_of_plan, next_number })
}

/// The starts and ends.
fn lives(done: &[String]) -> Vec<&str> {
    let is_life = |what: &&str| what.starts_with("start") || what.starts_with("end");
    done.iter().map(String::as_str).filter(is_life).collect()
}

const READY: &[(&str, Milestone)] = &[("db", Milestone::Ready)];

#[test]
fn a_type_is_tried_and_moved_after_the_type_that_it_waits_for() {
    // By its name it would come first.
    let mut rollout =
        rollout(&[("api", Strategy::OneByOne, replace, READY), ("db", Strategy::OneByOne, replace, &[])]);
    let done = carry_out(&mut rollout, Event::Begin, |_| None);
    let trials = ["start db.1@3 second", "start api.1@4 second", "end db.1@3", "end api.1@4"];
    let moves = ["end db.1@2", "start db.1@5 own", "end api.1@1", "start api.1@6 own"];
    let mut seen = lives(&done);
    seen[..4].sort_unstable_by_key(|what| trials.iter().position(|trial| trial == what));
    assert_eq!(seen, [trials, moves].concat(), "{done:?}");
    let at = |what: &str| done.iter().position(|done| done == what);
    assert!(at("probe db.1@3") < at("start api.1@4 second"), "{done:?}");
}

#[test]
fn a_type_whose_dependency_fails_is_never_started_and_never_touched() {
    for strategy in [Strategy::OneByOne, Strategy::Overlap] {
        let mut rollout = rollout(&[("api", strategy, replace, READY), ("db", strategy, replace, &[])]);
        let done = carry_out(&mut rollout, Event::Begin, not_ready("db.1"));
        assert!(!done.iter().any(|what| what.contains("api.1")), "{done:?}");
        assert_eq!(fate(&outcome(&rollout), "api.1"), Fate::Kept(run("api.1", 1)));
    }
}

#[test]
fn what_depends_on_another_ends_first() {
    let stopped = |strategy| {
        let mut rollout = rollout(&[
            ("db", strategy, stop, &[]),
            ("web", strategy, stop, READY),
            ("x", strategy, replace, &[]),
        ]);
        let done = carry_out(&mut rollout, Event::Begin, |_| None);
        done.into_iter().filter(|what| what == "end db.1@1" || what == "end web.1@2").collect::<Vec<_>>()
    };
    for strategy in Strategy::ALL {
        assert_eq!(stopped(strategy), ["end web.1@2", "end db.1@1"], "{strategy:?}");
    }
}

#[test]
fn what_stops_first_gives_its_place_up_after_what_depends_on_it_and_comes_back_before_it() {
    let first = Strategy::StopFirst;
    let mut rollout = rollout(&[("db", first, replace, &[]), ("web", first, replace, READY)]);
    let done = carry_out(&mut rollout, Event::Begin, |_| None);
    assert_eq!(lives(&done), ["end web.1@2", "end db.1@1", "start db.1@3 own", "start web.1@4 own"]);
}

/// Its trial could not wait for types that come up after all trials.
#[test]
fn what_stops_first_and_has_nothing_to_stop_comes_up_for_those_that_wait_for_it() {
    let mut rollout =
        rollout(&[("api", Strategy::OneByOne, start, READY), ("db", Strategy::StopFirst, start, &[])]);
    let done = carry_out(&mut rollout, Event::Begin, |_| None);
    assert_eq!(lives(&done), ["start db.1@3 own", "start api.1@4 own"]);
    assert_eq!(outcome(&rollout).cause, None);
}

#[test]
fn a_migration_has_passed_when_it_is_done_however_soon_and_in_time() {
    let done_first: &[(&str, Milestone)] = &[("db", Milestone::Done)];
    let planned =
        || rollout(&[("api", Strategy::OneByOne, start, done_first), ("db", Strategy::Overlap, start, &[])]);
    let mut rollout = planned();
    let done = carry_out(&mut rollout, Event::Begin, |_| None);
    assert_eq!(lives(&done), ["start db.1@3 own"], "that it is ready is not enough");
    let done = carry_out(&mut rollout, Event::Ended(run("db.1", 3)), |_| None);
    assert_eq!(lives(&done), ["start api.1@4 own"]);
    assert_eq!(outcome(&rollout).cause, None);

    let mut late = planned();
    carry_out(&mut late, Event::Begin, |_| None);
    assert_eq!(late.due(), Some(NOW + 30 * SECOND));
    let done = carry_out_at(NOW + 30 * SECOND, &mut late, Event::Tick, |_| None);
    assert_eq!(lives(&done), ["end db.1@3"]);
    let failures = outcome(&late).failures;
    assert_eq!(failures, [(run("db.1", 3).slot, Failure::Deadline(30 * SECOND))]);
}

#[test]
fn what_waits_for_a_kept_run_that_nobody_brings_back_fails_in_time_and_says_why() {
    let down = |number| Change::Keep(present(number, false));
    let types: [Planned<'_>; 2] =
        [("api", Strategy::OneByOne, replace, READY), ("db", Strategy::OneByOne, down, &[])];
    let mut in_vain = rollout(&types);
    assert_eq!(lives(&carry_out(&mut in_vain, Event::Begin, |_| None)), [""; 0]);
    assert_eq!(in_vain.due(), Some(NOW + 30 * SECOND));
    carry_out_at(NOW + 30 * SECOND, &mut in_vain, Event::Tick, |_| None);
    let reason = Failure::NotReady("waited in vain for db.1 to be ready".to_owned());
    assert_eq!(outcome(&in_vain).failures, [(run("api.1", 1).slot, reason)]);
    assert_eq!(fate(&outcome(&in_vain), "api.1"), Fate::Kept(run("api.1", 1)));

    let mut in_time = rollout(&types);
    carry_out(&mut in_time, Event::Begin, |_| None);
    let back = Event::Respawned { died: run("db.1", 2), run: run("db.1", 3) };
    let done = carry_out(&mut in_time, back, |_| None);
    assert!(done.contains(&"start api.1@4 second".to_owned()), "{done:?}");
    assert_eq!(outcome(&in_time).cause, None);
}

#[test]
fn types_that_wait_for_each_other_in_a_circle_do_not_wait() {
    let mut rollout = rollout(&[
        ("db", Strategy::Overlap, replace, &[("web", Milestone::Ready)]),
        ("web", Strategy::Overlap, replace, READY),
    ]);
    carry_out(&mut rollout, Event::Begin, |_| None);
    assert_eq!(outcome(&rollout).cause, None);
}
