//! The promises of a scheduler, as a test suite that runs against any of them. A failure is a panic that says
//! which promise was broken; it is called from tests only.

use std::time::{Duration, Instant};

use formation::{Formation, RestartPolicy, Which};

use crate::scheduler::{DeployOutcome, Scheduler, StopOrder, Watch};
use crate::{AppStatus, Cancel, Error, Instance, Intent, Plan, Process, Release, Running, Source};

const DEADLINE: Duration = Duration::from_secs(30);

/// What the suite deploys: a process of type `web` that runs until it is told to end.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Where it comes from.
    pub source: Source,
    /// Its command, `None` if the source has one.
    pub command: Option<String>,
    /// Its restart policy.
    pub restart_policy: RestartPolicy,
    /// Its grace period.
    pub stop_timeout: Duration,
}

/// Checks every promise in turn on one app, and leaves nothing of it behind.
///
/// # Panics
/// When a promise is broken.
pub fn check(scheduler: &dyn Scheduler, subject: &Subject) {
    let suite = Suite { scheduler, subject, app: "conformance" };
    suite.an_app_never_deployed_has_no_instances();
    suite.a_deploy_fills_every_wanted_slot();
    suite.converging_again_changes_nothing();
    suite.scaling_up_keeps_what_runs();
    suite.scaling_down_empties_only_the_highest();
    suite.a_restart_gives_every_instance_a_new_identity();
    suite.inspect_describes_every_instance();
    suite.a_stop_is_truthful_and_can_be_repeated();
    suite.a_start_after_a_stop_fills_the_slots_again();
    suite.a_removal_leaves_nothing();
    suite.a_cancelled_deploy_says_so();
}

struct Suite<'a> {
    scheduler: &'a dyn Scheduler,
    subject: &'a Subject,
    app: &'a str,
}

impl Suite<'_> {
    fn an_app_never_deployed_has_no_instances(&self) {
        let status = self.status();
        assert_eq!(status.instances, [], "an app that was never deployed has instances");
        assert_eq!(status.running(), Running::False);
    }

    fn a_deploy_fills_every_wanted_slot(&self) {
        let outcome = self.plan_and_deploy("web=2", &Intent::Deploy).expect("deploys");
        assert_eq!(outcome.started.len(), 2, "two slots were wanted");
        self.eventually("two instances run", |status| {
            status.instances.len() == 2 && status.running() == Running::True
        });
    }

    fn converging_again_changes_nothing(&self) {
        let before = self.identities();
        let outcome = self.plan_and_deploy("web=2", &Intent::Converge(Which::All)).expect("converges");
        assert_eq!((outcome.started.len(), outcome.kept.len()), (0, 2), "both were kept");
        assert_eq!(self.identities(), before, "an instance changed although nothing was asked");
    }

    fn scaling_up_keeps_what_runs(&self) {
        let before = self.identities();
        self.plan_and_deploy("web=3", &Intent::Converge(Which::All)).expect("scales up");
        self.eventually("three instances run", |status| status.instances.len() == 3);
        assert_eq!(self.identities()[..2], before[..], "scaling up touched what ran");
    }

    fn scaling_down_empties_only_the_highest(&self) {
        let before = self.identities();
        self.plan_and_deploy("web=1", &Intent::Converge(Which::All)).expect("scales down");
        self.eventually("one instance is left", |status| status.instances.len() == 1);
        assert_eq!(self.identities()[..], before[..1], "the lowest slot is the one to stay");
    }

    fn a_restart_gives_every_instance_a_new_identity(&self) {
        let before = self.identities();
        self.plan_and_deploy("web=1", &Intent::Restart(Which::All)).expect("restarts");
        self.eventually("it runs again", |status| status.running() == Running::True);
        assert_ne!(self.identities(), before, "a restart left the old instance");
    }

    fn inspect_describes_every_instance(&self) {
        let described = self.scheduler.inspect(self.app).expect("inspects");
        assert_eq!(described.as_array().map(Vec::len), Some(1), "one instance, one description: {described}");
    }

    fn a_stop_is_truthful_and_can_be_repeated(&self) {
        let first = self.stop(false);
        assert_eq!((first.ended.len(), first.remaining.len()), (1, 0), "one instance ran and ended");
        assert_eq!(self.status().running(), Running::False, "stopped, it said");
        assert_eq!(self.stop(false).ended, [], "nothing was left to stop");
    }

    fn a_start_after_a_stop_fills_the_slots_again(&self) {
        self.plan_and_deploy("web=1", &Intent::Start(Which::All)).expect("starts");
        self.eventually("it runs again", |status| status.running() == Running::True);
    }

    fn a_removal_leaves_nothing(&self) {
        assert_eq!(self.stop(true).remaining, [], "everything ended");
        assert_eq!(self.status().instances, [], "a removed app has instances");
    }

    fn a_cancelled_deploy_says_so(&self) {
        let cancel = Cancel::default();
        cancel.cancel();
        let plan = self.plan("web=1", &Intent::Deploy);
        let outcome =
            self.scheduler.deploy(&plan, &mut Watch { say: &mut |_| (), cancel: &cancel, lock: None });
        assert!(matches!(outcome, Err(Error::Cancelled)), "a cancelled deploy went on: {outcome:?}");
        assert_eq!(self.stop(true).remaining, []);
        assert_eq!(self.status().instances, [], "a cancelled deploy left instances");
    }

    fn plan(&self, wanted: &str, intent: &Intent) -> Plan {
        let wanted = Formation::parse([wanted]).expect("a legal formation");
        let release = Release {
            app: self.app.to_owned(),
            source: self.subject.source.clone(),
            processes: vec![Process::new(
                "web".parse().expect("a legal process type"),
                self.subject.command.clone(),
            )],
            env: vec![("CONFORMANCE".to_owned(), "1".to_owned())],
            restart_policy: self.subject.restart_policy,
            stop_timeout: self.subject.stop_timeout,
        };
        Plan::new(release, &wanted, &self.status().instances, intent, self.scheduler.usual_strategy())
    }

    fn plan_and_deploy(&self, wanted: &str, intent: &Intent) -> Result<DeployOutcome, Error> {
        let plan = self.plan(wanted, intent);
        self.scheduler.deploy(&plan, &mut Watch { say: &mut |_| (), cancel: &Cancel::default(), lock: None })
    }

    fn stop(&self, remove: bool) -> crate::Stopped {
        let order = StopOrder {
            app: self.app.to_owned(),
            which: Which::All,
            grace: self.subject.stop_timeout,
            remove,
        };
        let cancel = Cancel::default();
        self.scheduler
            .stop(&order, &mut Watch { say: &mut |_| (), cancel: &cancel, lock: None })
            .expect("stops")
    }

    fn status(&self) -> AppStatus {
        let mut all = self.scheduler.status(&[self.app.to_owned()]).expect("tells the status");
        assert_eq!(all.len(), 1, "one app, one status");
        all.remove(0)
    }

    fn identities(&self) -> Vec<(Option<u32>, Option<String>)> {
        let identity = |instance: Instance| (instance.pid, instance.container_id);
        self.status().instances.into_iter().map(identity).collect()
    }

    fn eventually(&self, fact: &str, holds: impl Fn(&AppStatus) -> bool) {
        let begin = Instant::now();
        loop {
            let status = self.status();
            if holds(&status) {
                return;
            }
            assert!(begin.elapsed() < DEADLINE, "not within {DEADLINE:?}: {fact}; last seen {status:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
