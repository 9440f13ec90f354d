use serde_json::json;

use super::*;
use crate::service::tests::described;
use crate::swarm_task::tests::listed;

const SECOND: Duration = Duration::from_secs(1);

fn seen(update: Option<&str>, revision: &str, tasks: &[Value]) -> Seen {
    let mut service = described("web", 2, revision);
    if let Some(state) = update {
        service["UpdateStatus"] = json!({"State": state, "Message": "update paused due to failure"});
    }
    Seen { services: Service::read_all(&json!([service])), tasks: SwarmTask::read_all(&json!(tasks)) }
}

pub(crate) fn moved() -> Move {
    Move {
        service: Service::read(&described("web", 2, "new")).expect("one of ours"),
        old: Some(json!({})),
        before: BTreeSet::from(["web-1-old-running".to_owned(), "web-2-old-running".to_owned()]),
        is_update: true,
        life: Duration::ZERO,
        may_end: false,
        over: 0,
        deadline: Instant::now() + 60 * SECOND,
        within: 60 * SECOND,
        batch: 20 * SECOND,
    }
}

fn of(moved: &Move, seen: &Seen) -> Standing {
    moved.standing(seen, |_| Some(5 * SECOND), Instant::now())
}

fn reasons(standing: Standing) -> Vec<String> {
    let Standing::Failed(failed) = standing else { panic!("it has not failed: {standing:?}") };
    failed.into_iter().map(|(failed, _)| format!("{} {}", failed.slot, failed.reason)).collect()
}

fn up(slot: u16, revision: &str) -> Value {
    listed("web", slot, "running", "running", revision)
}

#[test]
fn an_update_is_done_when_the_swarm_says_so_and_all_of_it_runs() {
    let (one, two) = (up(1, "new"), up(2, "new"));
    let both = [one.clone(), two.clone()];
    assert!(matches!(of(&moved(), &seen(None, "new", &[])), Standing::UnderWay));
    assert!(
        matches!(of(&moved(), &seen(Some("updating"), "new", &both)), Standing::UnderWay),
        "it is watched"
    );
    assert!(matches!(
        of(&moved(), &seen(Some("completed"), "new", std::slice::from_ref(&one))),
        Standing::UnderWay
    ));
    let old = [one, two, up(2, "old")];
    assert!(matches!(of(&moved(), &seen(Some("completed"), "new", &old)), Standing::UnderWay));
    assert!(matches!(of(&moved(), &seen(Some("completed"), "new", &both)), Standing::Done));
}

#[test]
fn what_runs_must_have_lived_where_nothing_else_shows_it() {
    let long = Move { life: 10 * SECOND, is_update: false, ..moved() };
    let both = seen(None, "new", &[up(1, "new"), up(2, "new")]);
    assert!(matches!(of(&long, &both), Standing::UnderWay));
    assert!(matches!(long.standing(&both, |_| Some(10 * SECOND), Instant::now()), Standing::Done));
}

#[test]
fn what_is_said_to_run_on_a_node_of_which_nothing_is_heard_does_not_count() {
    let both = seen(Some("completed"), "new", &[up(1, "new"), up(2, "new")]);
    let heard = |task: &SwarmTask| (task.slot != 2).then_some(5 * SECOND);
    let now = Instant::now();
    assert!(matches!(moved().standing(&both, heard, now), Standing::UnderWay));
    let over = Move { deadline: now, ..moved() };
    assert_eq!(
        reasons(over.standing(&both, heard, now)),
        ["web.2 is on a node of which nothing is heard, and ran on no other within 60 s"]
    );
}

#[test]
fn a_task_that_ends_early_fails_it_and_one_that_was_told_to_end_does_not() {
    let mut rejected = listed("web", 2, "rejected", "shutdown", "new");
    rejected["Status"]["Err"] = json!("No such image: shop:2");
    assert_eq!(
        reasons(of(&moved(), &seen(Some("updating"), "new", &[up(1, "new"), rejected]))),
        ["web.2 was rejected: No such image: shop:2"]
    );
    let sick = listed("web", 1, "complete", "shutdown", "new");
    assert!(
        reasons(of(&moved(), &seen(None, "new", std::slice::from_ref(&sick))))[0]
            .contains("did not pass its checks")
    );
    let job = Move { may_end: true, is_update: false, ..moved() };
    let done = [sick, listed("web", 2, "complete", "shutdown", "new")];
    assert!(matches!(of(&job, &seen(None, "new", &done)), Standing::Done));
    let drained =
        [listed("web", 1, "shutdown", "shutdown", "new"), listed("web", 2, "failed", "shutdown", "old")];
    assert!(matches!(of(&moved(), &seen(Some("updating"), "new", &drained)), Standing::UnderWay));
}

#[test]
fn what_the_swarm_has_given_up_or_put_back_has_failed() {
    let given_up = "given up half-way by the swarm, which has put nothing back and tries no more";
    for (state, how) in [
        ("paused", given_up),
        ("rollback_started", "put back by the swarm"),
        ("rollback_completed", "put back by the swarm"),
        ("rollback_paused", given_up),
    ] {
        let told = reasons(of(&moved(), &seen(Some(state), "new", &[up(1, "new")])));
        assert_eq!(told, [format!("web.1 was {how} (update paused due to failure)")], "{state}");
    }
    assert_eq!(reasons(of(&moved(), &seen(None, "old", &[up(1, "old"), up(2, "old")]))).len(), 1);
    let gone = Seen { services: Vec::new(), tasks: Vec::new() };
    assert!(reasons(of(&moved(), &gone))[0].contains("removed"));
}

#[test]
fn what_is_to_stay_over_is_not_waited_for() {
    let filled = |over| Move { is_update: false, over, ..moved() };
    let one = seen(None, "new", &[up(1, "new"), listed("web", 2, "complete", "shutdown", "old")]);
    assert!(matches!(of(&filled(1), &one), Standing::Done));
    assert!(matches!(of(&filled(0), &one), Standing::UnderWay));
}

#[test]
fn a_swarm_that_never_comes_to_an_end_has_no_more_time_than_we_give_it() {
    let over = Move { deadline: Instant::now(), ..moved() };
    let mut waiting = listed("web", 2, "pending", "running", "new");
    waiting["Status"]["Err"] = json!("no suitable node (insufficient resources on 1 node)");
    let told = reasons(of(&over, &seen(Some("updating"), "new", &[up(1, "new"), waiting])));
    assert_eq!(
        told,
        ["web.2 found no place within 60 s: no suitable node (insufficient resources on 1 node)"]
    );
    let starting = listed("web", 1, "starting", "running", "new");
    assert_eq!(
        reasons(of(&over, &seen(Some("updating"), "new", &[starting]))),
        ["web.1 did not become ready within 60 s"]
    );
    assert_eq!(
        reasons(of(&over, &seen(None, "new", &[]))),
        ["web.1 was not replaced by the swarm within 60 s"]
    );
}

#[test]
fn an_update_is_stuck_at_a_task_that_its_node_was_lost_with_before_it_ran() {
    let stuck = |update, state, desired| {
        let seen =
            seen(update, "new", &[listed("web", 1, state, desired, "new"), up(1, "new"), up(2, "old")]);
        (moved().stuck_at(&seen, |_| true).is_some(), moved().stuck_at(&seen, |_| false).is_some())
    };
    assert_eq!(stuck(Some("updating"), "assigned", "shutdown"), (true, false));
    assert_eq!(stuck(Some("completed"), "assigned", "shutdown"), (false, false));
    assert_eq!(stuck(Some("updating"), "assigned", "running"), (false, false), "its node may only be slow");
    assert_eq!(stuck(Some("updating"), "running", "shutdown"), (false, false), "the update has seen it run");
}

#[test]
fn one_that_none_follows_is_given_up_after_the_time_of_a_batch_and_what_its_node_has_not_begun_is_named() {
    let given = listed("web", 2, "assigned", "running", "new");
    let seen = seen(Some("updating"), "new", &[up(1, "new"), given, up(2, "old")]);
    assert!(matches!(of(&moved(), &seen), Standing::UnderWay));
    let told = reasons(moved().stalled(&seen, |_| Some(5 * SECOND)));
    assert_eq!(told, ["web.2 was not reported by its node within 20 s"]);
}
