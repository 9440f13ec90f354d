use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::*;
use crate::conformance::{self, Another, Harness, Subject, rollouts, stops};
use crate::{Cancel, Plan};

fn subject(image: &str, command: Option<&str>) -> Subject {
    Subject {
        source: Source::Image(image.to_owned()),
        command: command.map(str::to_owned),
        restart_policy: formation::RestartPolicy::Always,
        stop_timeout: Duration::from_secs(1),
    }
}

impl Harness for Fake {
    fn scheduler(&self) -> &dyn Scheduler {
        self
    }

    fn good(&self) -> Subject {
        subject("shop:1", None)
    }

    fn bad(&self) -> Subject {
        subject("shop:1", Some("bad"))
    }

    fn refused(&self) -> Subject {
        subject(NO_IMAGE, None)
    }

    fn alive(&self) -> BTreeSet<String> {
        self.alive(&conformance::app()).iter().map(u64::to_string).collect()
    }

    fn another(&self) -> Another {
        let another = self.another();
        Box::new(move || Box::new(another()))
    }

    fn dies_at(&self, plan: &Plan, step: usize) -> bool {
        self.caller_dies_at(step);
        let cancel = Cancel::default();
        let deploy = || {
            let mut requester = Requester { tell: &mut |_| (), cancel: &cancel, lock: None };
            self.deploy(plan, &mut requester)
        };
        let died = catch_unwind(AssertUnwindSafe(deploy)).is_err();
        self.callers_live();
        died
    }
}

#[test]
fn the_fake_keeps_the_promises() {
    conformance::check(&Fake::new(), &subject("shop:1", None));
}

#[test]
fn the_fake_keeps_the_promises_of_a_rollout() {
    let fake = Fake::new();
    for promise in
        rollouts::of_failures().iter().chain(&rollouts::of_strategies()).chain(&rollouts::of_deaths())
    {
        promise(&fake);
    }
}

#[test]
fn the_fake_takes_a_stop_into_a_rollout() {
    let fake = Fake::new();
    for promise in stops::of_stops() {
        promise(&fake);
    }
}

/// How a scheduler may break guarantees.
#[derive(Clone, Copy)]
enum Carelessness {
    /// It uses this strategy for every type, whatever the plan says.
    OneWay(Strategy),
    /// It ignores what a dead caller left unfinished.
    Forgets,
    /// It ends the recorded instances, although another program carries out a rollout.
    StopsBehindABack,
}

struct Careless {
    fake: Fake,
    carelessness: Carelessness,
}

impl Scheduler for Careless {
    fn name(&self) -> &'static str {
        "careless"
    }

    fn usual_strategy(&self) -> Strategy {
        self.fake.usual_strategy()
    }

    fn status(&self, apps: &[AppName]) -> Result<Vec<AppStatus>, Error> {
        self.fake.status(apps)
    }

    fn deploy(&self, plan: &Plan, requester: &mut Requester<'_>) -> Result<DeployOutcome, Error> {
        let mut plan = plan.clone();
        match self.carelessness {
            Carelessness::OneWay(strategy) => {
                plan.rules.values_mut().for_each(|rules| rules.strategy = strategy);
            }
            Carelessness::Forgets => self.fake.with(&conformance::app(), |app| app.rollout = None),
            Carelessness::StopsBehindABack => (),
        }
        self.fake.deploy(&plan, requester)
    }

    fn stop(&self, order: &StopOrder, requester: &mut Requester<'_>) -> Result<Stopped, Error> {
        match self.carelessness {
            Carelessness::OneWay(_) | Carelessness::Forgets => self.fake.stop(order, requester),
            Carelessness::StopsBehindABack => {
                let slots = self.fake.with(&order.app, |app| app.stop(&order.which, order.remove));
                self.fake.has_asked();
                let ended = slots.into_iter().map(|slot| (slot, None)).collect();
                Ok(Stopped { ended, remaining: Vec::new() })
            }
        }
    }

    fn inspect(&self, app: &AppName) -> Result<serde_json::Value, Error> {
        self.fake.inspect(app)
    }

    fn logs(&self, _: &LogRequest, _: &mut dyn LogSink) -> Result<(), Error> {
        Ok(())
    }

    fn retire(&self, app: Option<&AppName>) -> Result<Vec<String>, Error> {
        self.fake.retire(app)
    }
}

impl Harness for Careless {
    fn scheduler(&self) -> &dyn Scheduler {
        self
    }

    fn good(&self) -> Subject {
        Harness::good(&self.fake)
    }

    fn bad(&self) -> Subject {
        Harness::bad(&self.fake)
    }

    fn refused(&self) -> Subject {
        Harness::refused(&self.fake)
    }

    fn alive(&self) -> BTreeSet<String> {
        Harness::alive(&self.fake)
    }

    fn another(&self) -> Another {
        let (another, carelessness) = (self.fake.another(), self.carelessness);
        Box::new(move || Box::new(Careless { fake: another(), carelessness }))
    }

    fn dies_at(&self, plan: &Plan, step: usize) -> bool {
        Harness::dies_at(&self.fake, plan, step)
    }

    fn patience(&self) -> Duration {
        Duration::ZERO
    }
}

fn is_caught(carelessness: Carelessness, promise: impl Fn(&dyn Harness)) -> bool {
    let careless = Careless { fake: Fake::new(), carelessness };
    catch_unwind(AssertUnwindSafe(|| promise(&careless))).is_err()
}

#[test]
fn a_scheduler_that_breaks_a_promise_is_caught() {
    let one_way = |strategy, promise: fn(&dyn Harness)| is_caught(Carelessness::OneWay(strategy), promise);
    let stops_first = |promise| one_way(Strategy::StopFirst, promise);
    assert!(stops_first(|harness| {
        rollouts::a_failed_deploy_leaves_the_same_instances(harness, Strategy::Overlap);
    }));
    assert!(stops_first(|harness| {
        rollouts::a_failed_restart_leaves_the_same_instances(harness, Strategy::OneByOne);
    }));
    assert!(stops_first(|harness| {
        rollouts::a_type_that_fails_leaves_the_others_alone(harness, Strategy::Overlap);
    }));
    assert!(stops_first(|harness| {
        rollouts::a_cancelled_deploy_leaves_the_same_instances(harness, Strategy::Overlap);
    }));
    assert!(stops_first(rollouts::overlap_has_both_for_a_moment_and_one_afterwards));
    assert!(stops_first(rollouts::one_by_one_touches_nothing_before_its_trial_and_then_as_few_as_it_may));
    let stop_first = rollouts::stop_first_never_has_two_and_is_back_after_a_failure;
    assert!(one_way(Strategy::Overlap, stop_first));
    assert!(is_caught(Carelessness::Forgets, |harness| {
        rollouts::the_same_deploy_again_after_a_death_at_any_step_ends_as_wanted(harness, Strategy::Overlap);
    }));
    for promise in stops::of_stops() {
        assert!(is_caught(Carelessness::StopsBehindABack, promise));
    }
}
