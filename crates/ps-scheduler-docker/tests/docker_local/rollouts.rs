//! The suite's promises of a rollout, on real containers. Each is tested in a world of its own, and several at the same time,
//! because a test mostly waits.

use std::collections::BTreeSet;
use std::time::Duration;

use formation::{AppName, RestartPolicy};
use ps_engine::{Container, Engine};
use ps_rollout::Strategy;
use ps_scheduler::conformance::{self, Another, Harness, Subject, rollouts, stops};
use ps_scheduler::{
    AppStatus, DeployOutcome, Error, LogRequest, LogSink, Plan, Requester, Scheduler, Source, StopOrder,
    Stopped,
};
use ps_scheduler_docker::DockerLocal;

use crate::place::{GRACE, IMAGE, Place, SOCKET};

/// How many promises are tested at the same time.
const AT_A_TIME: usize = 9;
/// A command that ends at once.
const BAD: &str = "exit 1";
/// How long a command that ends at once would have to live in a deploy: longer than a busy machine needs to see its end.
const LONG: Duration = Duration::from_secs(20);

struct Containers {
    scheduler: Patient,
    root: String,
    engine: Engine,
}

/// docker-local, with a longer gate for each type whose command fails.
struct Patient(Place);

impl Scheduler for Patient {
    fn name(&self) -> &str {
        self.0.docker.name()
    }

    fn usual_strategy(&self) -> Strategy {
        self.0.docker.usual_strategy()
    }

    fn status(&self, apps: &[AppName]) -> Result<Vec<AppStatus>, Error> {
        self.0.docker.status(apps)
    }

    fn deploy(&self, plan: &Plan, requester: &mut Requester<'_>) -> Result<DeployOutcome, Error> {
        let mut plan = plan.clone();
        for process in &plan.release.processes {
            if process.command.as_deref() == Some(BAD)
                && let Some(rules) = plan.rules.get_mut(&process.process_type)
            {
                rules.minimum_life = LONG;
            }
        }
        self.0.docker.deploy(&plan, requester)
    }

    fn stop(&self, order: &StopOrder, requester: &mut Requester<'_>) -> Result<Stopped, Error> {
        self.0.docker.stop(order, requester)
    }

    fn inspect(&self, app: &AppName) -> Result<serde_json::Value, Error> {
        self.0.docker.inspect(app)
    }

    fn logs(&self, request: &LogRequest, sink: &mut dyn LogSink) -> Result<(), Error> {
        self.0.docker.logs(request, sink)
    }

    fn retire(&self, app: Option<&AppName>) -> Result<Vec<String>, Error> {
        self.0.docker.retire(app)
    }
}

impl Containers {
    fn new() -> Self {
        let place = Place::for_app(conformance::app().as_str());
        let root = format!("com.formation.root={}", place.dir.path().join("home").display());
        let engine = Engine::new(SOCKET.into()).expect("a client of the engine");
        Self { scheduler: Patient(place), root, engine }
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
        &self.scheduler
    }

    fn good(&self) -> Subject {
        Self::subject(IMAGE, "sleep 1000")
    }

    fn bad(&self) -> Subject {
        Self::subject(IMAGE, BAD)
    }

    fn refused(&self) -> Subject {
        Self::subject("formation-test/no-such-image:1", "sleep 1000")
    }

    fn alive(&self) -> BTreeSet<String> {
        let listed = self.engine.list(std::slice::from_ref(&self.root));
        let listed = self.engine.run(listed).expect("the engine lists containers");
        listed.into_iter().filter(Container::may_serve).map(|container| container.id).collect()
    }

    fn another(&self) -> Another {
        let world = self.scheduler.0.world();
        Box::new(move || Box::new(DockerLocal::at(&world, SOCKET)))
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }

    /// A deploy is tested at every third of its steps; with `FORMATION_TEST_LONG=1` at every step.
    fn stride(&self) -> usize {
        if std::env::var_os("FORMATION_TEST_LONG").is_some_and(|value| value == "1") { 1 } else { 3 }
    }
}

#[test]
fn a_deploy_that_fails_is_refused_or_is_cancelled_leaves_the_same_containers() {
    rollouts::all_keep(&rollouts::of_failures(), AT_A_TIME, Containers::new);
}

#[test]
fn old_and_new_containers_stand_side_by_side_as_the_strategy_says() {
    rollouts::all_keep(&rollouts::of_strategies(), AT_A_TIME, Containers::new);
}

#[test]
fn after_a_death_at_any_step_the_same_verb_again_or_a_stop_ends_as_wanted() {
    rollouts::all_keep(&rollouts::of_deaths(), AT_A_TIME, Containers::new);
}

#[test]
fn what_another_program_stops_during_a_deploy_stays_stopped() {
    rollouts::all_keep(&stops::of_stops(), AT_A_TIME, Containers::new);
}
