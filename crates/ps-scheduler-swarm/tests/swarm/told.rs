//! What `status` says of instances of which a manager knows no more than what was so before.

use std::time::{Duration, Instant};

use formation::{Exit, State, Which};
use ps_scheduler::{Instance, Running, Scheduler};
use swarm_cluster::Cluster;

use crate::losses::eventually;
use crate::place::Place;

/// For about a quarter of a minute the leader goes on answering what it is asked; then it says nothing.
#[test]
fn right_after_a_quorum_is_lost_nothing_is_shown_as_if_it_were_so_now() {
    let Some(cluster) = Cluster::up_to_lose_nodes(3) else { return };
    let place = Place::new(&cluster);
    place.deploy("sleep 1000", &["web=3"]).0.expect("it comes up");
    cluster.lose(2);
    cluster.lose(3);
    let end = Instant::now() + Duration::from_secs(60);
    let status = loop {
        let status = place.swarm.status_of(&place.app).expect("the leader answers what it knew");
        if status.instances.iter().all(|row| row.state == State::Unknown) {
            break status;
        }
        assert!(Instant::now() < end, "it never says that nothing is known: {status:?}");
    };
    assert_eq!((status.running(), status.instances.len()), (Running::Unknown, 3));
    let [said] = status.troubles.as_slice() else { panic!("{:?}", status.troubles) };
    for words in [
        "node2, node3 of its 3 managers do not answer",
        "newer than 20",
        "docker swarm init --force-new-cluster",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    for row in &status.instances {
        let note = row.note.as_deref().unwrap_or_default();
        assert!(note.starts_with("the swarm has lost its quorum: it was running before"), "{note}");
        assert!(row.since.is_some(), "since when nothing is known: {row:?}");
    }
    let refused = place.deploy("sleep 1001", &["web=3"]).0.expect_err("nothing can be changed").to_string();
    assert!(refused.contains("docker swarm init --force-new-cluster"), "{refused}");
    cluster.heal(2);
    cluster.heal(3);
    let rows = || place.swarm.status_of(&place.app).map(|status| status.running()).ok();
    eventually("it is known again what runs", rows, |running| *running == Some(Running::True));
    place.stop("", true).expect("is removed");
}

#[test]
fn while_an_instance_waits_to_be_started_again_its_last_end_and_what_it_wrote_are_known() {
    let Some(cluster) = Cluster::up(1) else { return };
    let place = Place::new(&cluster);
    place.deploy("sleep 4; echo 'no such table: orders'; exit 7", &["web=1"]).0.expect("it comes up");
    let seen = || Some((place.status().instances.first()?.clone(), place.log(Which::All)));
    let waits = |(row, _): &(Instance, Vec<String>)| row.state == State::Backoff;
    let (row, log) =
        eventually("it has ended, and waits", seen, |seen| seen.as_ref().is_some_and(waits)).expect("seen");
    assert_eq!(row.last_exit, Some(Exit::Code(7)), "{row:?}");
    assert_eq!(log, ["web.1 no such table: orders"]);
    place.stop("", true).expect("is removed");
}

#[test]
fn a_deploy_ends_when_the_instances_have_ended_that_it_has_replaced() {
    let Some(cluster) = Cluster::up(1) else { return };
    let place = Place::new(&cluster);
    // It has its whole grace period, because it does not heed the signal.
    let stays = |name: &str| format!("trap '' TERM; echo {name}; while true; do sleep 1; done");
    place.deploy(&stays("first"), &["web=2"]).0.expect("it comes up");
    for name in ["second", "third"] {
        place.deploy(&stays(name), &["web=2"]).0.expect("it comes up");
        assert_eq!(place.rows(), ["web.1 running", "web.2 running"], "{name}");
        assert_eq!(place.log(Which::All), [format!("web.1 {name}"), format!("web.2 {name}")]);
    }
    place.stop("", true).expect("is removed");
}
