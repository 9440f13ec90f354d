//! The suite's promises of a rollout, on real containers. Each is tried in a world of its own, and several at a time: most of it
//! is waiting.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use formation::RestartPolicy;
use ps_engine::{Container, Engine};
use ps_rollout::Strategy;
use ps_scheduler::conformance::rollouts::{self, Harness};
use ps_scheduler::conformance::{APP, Subject};
use ps_scheduler::{Scheduler, Source};

use crate::place::{GRACE, IMAGE, Place, SOCKET};

/// How many promises are tried at a time in which something is to end in its first second: with more it may take longer to begin.
const FEW: usize = 2;
/// How many are tried at a time where everything lives.
const MANY: usize = 6;

struct Containers(Place, Engine);

impl Containers {
    fn new() -> Self {
        let place = Place::for_app(APP);
        Self(place, Engine::new(SOCKET.into()).expect("a client of the engine"))
    }

    fn subject(image: &str, command: &str) -> Subject {
        Subject {
            source: Source::Image(image.to_owned()),
            command: Some(command.to_owned()),
            restart_policy: RestartPolicy::default(),
            stop_timeout: GRACE,
        }
    }
}

impl Harness for Containers {
    fn scheduler(&self) -> &dyn Scheduler {
        &self.0.docker
    }

    fn good(&self) -> Subject {
        Self::subject(IMAGE, "sleep 1000")
    }

    fn bad(&self) -> Subject {
        Self::subject(IMAGE, "exit 1")
    }

    fn refused(&self) -> Subject {
        Self::subject("formation-test/no-such-image:1", "sleep 1000")
    }

    fn alive(&self) -> BTreeSet<String> {
        let root = format!("com.formation.root={}", self.0.dir.path().join("home").display());
        let listed = self.1.run(self.1.list(&[root])).expect("the engine lists containers");
        listed.into_iter().filter(Container::may_serve).map(|container| container.id).collect()
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }
}

/// A promise, as a function that panics where it is broken.
type Promise<'a> = &'a (dyn Fn(&dyn Harness) + Sync);

fn all_keep(at_a_time: usize, promises: &[Promise<'_>]) {
    for some in promises.chunks(at_a_time) {
        thread::scope(|scope| {
            for promise in some {
                scope.spawn(|| promise(&Containers::new()));
            }
        });
    }
}

#[test]
fn a_deploy_that_fails_is_refused_or_is_cancelled_leaves_the_same_containers() {
    let deploy = |strategy| {
        move |place: &dyn Harness| {
            rollouts::a_failed_deploy_leaves_the_same_instances(place, strategy);
            rollouts::a_type_that_fails_leaves_the_others_alone(place, strategy);
        }
    };
    let restart = |strategy| {
        move |place: &dyn Harness| {
            rollouts::a_failed_restart_leaves_the_same_instances(place, strategy);
            rollouts::a_cancelled_deploy_leaves_the_same_instances(place, strategy);
        }
    };
    all_keep(
        FEW,
        &[
            &deploy(Strategy::Overlap),
            &deploy(Strategy::OneByOne),
            &restart(Strategy::Overlap),
            &restart(Strategy::OneByOne),
            &rollouts::a_refused_input_leaves_the_same_instances,
            &rollouts::a_first_deploy_that_fails_leaves_nothing,
        ],
    );
}

#[test]
fn old_and_new_containers_stand_side_by_side_as_the_strategy_says() {
    all_keep(
        FEW,
        &[
            &rollouts::overlap_has_both_for_a_moment_and_one_afterwards,
            &rollouts::one_by_one_touches_nothing_before_its_trial_and_then_as_few_as_it_may,
            &rollouts::stop_first_never_has_two_and_is_back_after_a_failure,
            &rollouts::a_scale_after_a_failed_deploy_fills_what_is_wanted,
            &rollouts::a_start_of_which_one_type_fails_leaves_the_others_up,
        ],
    );
}

#[test]
fn after_a_death_at_any_step_the_same_verb_again_or_a_stop_ends_as_wanted() {
    let again = |strategy| {
        move |place: &dyn Harness| {
            rollouts::the_same_verb_again_after_a_death_at_any_step_ends_as_wanted(place, strategy);
        }
    };
    let stop = |strategy| {
        move |place: &dyn Harness| {
            rollouts::a_stop_after_a_death_at_any_step_ends_old_and_new(place, strategy);
        }
    };
    all_keep(
        MANY,
        &[
            &again(Strategy::Overlap),
            &again(Strategy::OneByOne),
            &again(Strategy::StopFirst),
            &stop(Strategy::Overlap),
            &stop(Strategy::OneByOne),
            &stop(Strategy::StopFirst),
        ],
    );
}
