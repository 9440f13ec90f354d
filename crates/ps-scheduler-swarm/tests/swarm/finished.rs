//! Instances that have done what they are there for: a swarm starts them again only when it is told to in a way of its own.

use formation::Which;
use ps_scheduler::{Intent, Release};
use swarm_cluster::Cluster;

use crate::losses::eventually;
use crate::place::Place;

/// A release whose instances end with success after some seconds.
fn job(place: &Place) -> Release {
    let mut release = place.release("sleep 6");
    release.processes[0].settings.checks = Some("skipped".parse().expect("a word"));
    release
}

#[test]
fn what_has_finished_is_not_waited_for_and_a_start_runs_it_again() {
    let Some(cluster) = Cluster::up(1) else { return };
    let place = Place::new(&cluster);
    place.carry_out(&place.plan(job(&place), &["web=2"], &Intent::Deploy)).0.expect("it comes up");
    let finished = |count: usize| vec!["stopped"; count];
    let states = || {
        let rows = place.rows();
        rows.iter().map(|row| row.split(' ').next_back().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    eventually("both have finished", states, |states| *states == finished(2));
    let more = place.plan(job(&place), &["web=3"], &Intent::Converge(Which::All));
    let outcome = place.carry_out(&more).0.expect("nobody waits for what has finished");
    assert_eq!((outcome.started.len(), outcome.kept.len()), (1, 2));
    eventually("all have finished", states, |states| *states == finished(3));
    let start = place.plan(job(&place), &["web=3"], &Intent::Start(Which::All));
    assert_eq!(place.carry_out(&start).0.expect("they run again").started.len(), 3);
    let log = place.status();
    assert_eq!(log.instances.len(), 3, "{log:?}");
    place.stop("", true).expect("is removed");
}
