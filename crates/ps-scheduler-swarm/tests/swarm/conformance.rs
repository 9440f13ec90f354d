//! The promises of every scheduler, on a swarm of one node.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use formation::RestartPolicy;
use ps_scheduler::conformance::{self, Another, Harness, Subject, rollouts};
use ps_scheduler::{Scheduler, Source};
use swarm_cluster::Cluster;

use crate::place::{GRACE, IMAGE, Place};

/// How many promises are tried at a time.
const AT_A_TIME: usize = 6;

fn subject(image: &str, command: &str) -> Subject {
    Subject {
        source: Source::Image(image.to_owned()),
        command: Some(command.to_owned()),
        restart_policy: RestartPolicy::default(),
        stop_timeout: GRACE,
    }
}

struct Tasks(Place);

impl Harness for Tasks {
    fn scheduler(&self) -> &dyn Scheduler {
        &self.0.swarm
    }

    fn good(&self) -> Subject {
        subject(IMAGE, "sleep 1000")
    }

    fn bad(&self) -> Subject {
        subject(IMAGE, "exit 1")
    }

    fn refused(&self) -> Subject {
        subject("formation-test/no-such-image:1", "sleep 1000")
    }

    fn alive(&self) -> BTreeSet<String> {
        self.0.alive()
    }

    fn another(&self) -> Another {
        let another = self.0.another();
        Box::new(move || Box::new(another))
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }

    fn stride(&self) -> usize {
        if std::env::var_os("FORMATION_TEST_LONG").is_some_and(|value| value == "1") { 1 } else { 3 }
    }
}

fn harness(socket: PathBuf) -> impl Fn() -> Tasks + Sync {
    move || Tasks(Place::for_app(conformance::app().as_str(), &socket))
}

#[test]
fn a_swarm_keeps_the_promises_of_every_scheduler() {
    let Some(cluster) = Cluster::up(1) else { return };
    let tasks = harness(cluster.socket(1))();
    conformance::check(tasks.scheduler(), &tasks.good());
}

#[test]
fn a_swarm_of_three_nodes_keeps_them_whichever_manager_is_asked() {
    let Some(cluster) = Cluster::up(3) else { return };
    // The first one leads.
    let tasks = harness(cluster.socket(3))();
    conformance::check(tasks.scheduler(), &tasks.good());
}

#[test]
fn a_deploy_that_fails_is_refused_or_is_cancelled_leaves_the_same_containers() {
    let Some(cluster) = Cluster::up(1) else { return };
    rollouts::all_keep(&rollouts::of_failures(), AT_A_TIME, harness(cluster.socket(1)));
}

#[test]
fn after_a_death_at_any_step_the_same_verb_again_or_a_stop_ends_as_wanted() {
    let Some(cluster) = Cluster::up(1) else { return };
    rollouts::all_keep(&rollouts::of_deaths(), AT_A_TIME, harness(cluster.socket(1)));
}
