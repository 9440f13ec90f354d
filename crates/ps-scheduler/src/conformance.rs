//! The guarantees of a scheduler as a test suite that runs against any implementation. A broken guarantee is a panic that
//! names it. Only tests call this.

mod harness;
mod place;
pub mod rollouts;
pub mod stops;
mod subject;

use formation::Which;

use self::place::Place;
use crate::scheduler::{DeployOutcome, Scheduler, Stopped};
use crate::{Cancel, Error, Intent, Plan, Running};

pub use harness::{Another, Harness};
pub use place::{app, formation};
pub use subject::Subject;

/// Checks every guarantee in turn on one app, and removes the app at the end.
///
/// # Panics
/// If a guarantee is broken.
pub fn check(scheduler: &dyn Scheduler, subject: &Subject) {
    let suite = Suite { place: Place { scheduler }, subject };
    suite.an_app_never_deployed_has_no_instances();
    suite.a_deploy_fills_every_wanted_slot();
    suite.converging_again_changes_nothing();
    suite.scaling_up_keeps_what_runs();
    suite.scaling_down_empties_only_the_highest();
    suite.a_restart_gives_every_instance_a_new_identity();
    suite.inspect_describes_every_instance();
    suite.a_stop_is_truthful_and_can_be_repeated();
    suite.a_start_after_a_stop_fills_the_slots_again();
    suite.what_was_stopped_by_hand_stays_so_until_it_is_started();
    suite.a_removal_leaves_nothing();
    suite.a_cancelled_deploy_says_so();
}

struct Suite<'a> {
    place: Place<'a>,
    subject: &'a Subject,
}

impl Suite<'_> {
    fn an_app_never_deployed_has_no_instances(&self) {
        let status = self.place.status();
        assert_eq!(status.instances, [], "an app that was never deployed has instances");
        assert_eq!(status.running(), Running::False);
    }

    fn a_deploy_fills_every_wanted_slot(&self) {
        let outcome = self.plan_and_deploy("web=2", &Intent::Deploy).expect("deploys");
        assert_eq!(outcome.started.len(), 2, "two slots were wanted");
        self.place.eventually("two instances run", |status| {
            status.instances.len() == 2 && status.running() == Running::True
        });
    }

    fn converging_again_changes_nothing(&self) {
        let before = self.place.identities();
        let outcome = self.plan_and_deploy("web=2", &Intent::Converge(Which::All)).expect("converges");
        assert_eq!((outcome.started.len(), outcome.kept.len()), (0, 2), "both were kept");
        assert_eq!(self.place.identities(), before, "an instance changed although nothing was asked");
    }

    fn scaling_up_keeps_what_runs(&self) {
        let before = self.place.identities();
        self.plan_and_deploy("web=3", &Intent::Converge(Which::All)).expect("scales up");
        self.place.eventually("three instances run", |status| status.instances.len() == 3);
        assert_eq!(self.place.identities()[..2], before[..], "scaling up touched what ran");
    }

    fn scaling_down_empties_only_the_highest(&self) {
        let before = self.place.identities();
        self.plan_and_deploy("web=1", &Intent::Converge(Which::All)).expect("scales down");
        self.place.eventually("one instance is left", |status| status.instances.len() == 1);
        let left = self.place.identities();
        if self.chooses_slots() {
            assert!(left.iter().all(|one| before.contains(one)), "it is one of those that were there");
        } else {
            assert_eq!(left[..], before[..1], "the lowest slot is the one to stay");
        }
    }

    fn a_restart_gives_every_instance_a_new_identity(&self) {
        let before = self.place.identities();
        self.plan_and_deploy("web=1", &Intent::Restart(Which::All)).expect("restarts");
        self.place.eventually("it runs again", |status| status.running() == Running::True);
        assert_ne!(self.place.identities(), before, "a restart left the old instance");
    }

    fn inspect_describes_every_instance(&self) {
        let described = self.place.scheduler.inspect(&app()).expect("inspects");
        assert_eq!(described.as_array().map(Vec::len), Some(1), "one instance, one description: {described}");
    }

    fn a_stop_is_truthful_and_can_be_repeated(&self) {
        let first = self.stop(false);
        assert_eq!((first.ended.len(), first.remaining.len()), (1, 0), "one instance ran and ended");
        assert_eq!(self.place.status().running(), Running::False, "stopped, it said");
        assert_eq!(self.stop(false).ended, [], "nothing was left to stop");
    }

    fn a_start_after_a_stop_fills_the_slots_again(&self) {
        self.plan_and_deploy("web=1", &Intent::Start(Which::All)).expect("starts");
        self.place.eventually("it runs again", |status| status.running() == Running::True);
    }

    fn what_was_stopped_by_hand_stays_so_until_it_is_started(&self) {
        if self.chooses_slots() {
            // The scheduler chooses which instance it stops.
            return;
        }
        let one: Which = "web.1".parse().expect("an instance");
        assert_eq!(self.place.stop(&one, self.subject.stop_timeout, false).ended.len(), 1, "it ran");
        self.plan_and_deploy("web=2", &Intent::Converge(Which::All)).expect("scales up");
        self.place.eventually("web.2 runs, and web.1 does not", |status| {
            let runs = status.instances.iter().filter(|instance| instance.state.is_alive());
            runs.map(|instance| instance.slot.index).eq([2])
        });
        self.plan_and_deploy("web=2", &Intent::Start(one)).expect("starts");
        self.place.eventually("both run", |status| {
            status.instances.len() == 2 && status.running() == Running::True
        });
    }

    fn a_removal_leaves_nothing(&self) {
        assert_eq!(self.stop(true).remaining, [], "everything ended");
        assert_eq!(self.place.status().instances, [], "a removed app has instances");
    }

    fn a_cancelled_deploy_says_so(&self) {
        let cancel = Cancel::default();
        cancel.cancel();
        let plan = self.plan("web=1", &Intent::Deploy);
        let outcome = self.place.deploy_watched(&plan, &cancel, &mut |_| ());
        assert!(matches!(outcome, Err(Error::Cancelled)), "a cancelled deploy went on: {outcome:?}");
        assert_eq!(self.stop(true).remaining, []);
        assert_eq!(self.place.status().instances, [], "a cancelled deploy left instances");
    }

    /// Whether the scheduler chooses which instances end.
    fn chooses_slots(&self) -> bool {
        self.place.status().instances.iter().any(|instance| instance.is_interchangeable)
    }

    fn plan(&self, wanted: &str, intent: &Intent) -> Plan {
        self.place.plan(place::release(self.subject, &["web"], None), &[wanted], intent)
    }

    fn plan_and_deploy(&self, wanted: &str, intent: &Intent) -> Result<DeployOutcome, Error> {
        self.place.deploy(&self.plan(wanted, intent))
    }

    fn stop(&self, remove: bool) -> Stopped {
        self.place.stop(&Which::All, self.subject.stop_timeout, remove)
    }
}
