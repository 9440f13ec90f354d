//! The app under test, and the operations that the suite executes on it.

use std::time::{Duration, Instant};

use formation::{AppName, Formation, Which};
use ps_rollout::Strategy;
use type_settings::{Ready, TypeSettings};

use super::subject::Subject;
use crate::scheduler::{DeployOutcome, Requester, Scheduler, StopOrder, Stopped};
use crate::{AppStatus, Cancel, Error, Gate, Instance, Intent, Plan, Process, Progress, Release};

const DEADLINE: Duration = Duration::from_secs(60);

/// The name of the app.
pub fn app() -> AppName {
    "conformance".parse().expect("a legal name")
}

/// The formation of arguments such as `web=2`, for tests.
///
/// # Panics
/// A word is not of this form.
pub fn formation(counts: &[&str]) -> Formation {
    let entry = |word: &&str| {
        let (name, count) = word.split_once('=').expect("a type and a count");
        (name.parse().expect("a legal process type"), count.parse().expect("a legal count"))
    };
    counts.iter().map(entry).collect()
}

/// The identity of an instance: its process and its container.
pub(super) type Identity = (Option<u32>, Option<String>);

pub(super) struct Place<'a> {
    pub(super) scheduler: &'a dyn Scheduler,
}

/// A release of a subject with these types, which all run its command with this strategy (`None`: the scheduler's usual
/// one).
pub(super) fn release(subject: &Subject, types: &[&str], strategy: Option<Strategy>) -> Release {
    let process = |name: &&str| Process {
        strategy,
        // The command of the subject need not listen on a port.
        settings: TypeSettings { ready: Some(Ready::Alive), ..TypeSettings::default() },
        ..Process::new(name.parse().expect("a legal process type"), subject.command.clone())
    };
    Release {
        app: app(),
        source: subject.source.clone(),
        processes: types.iter().map(process).collect(),
        are_all_types: false,
        others: TypeSettings::default(),
        env: vec![("CONFORMANCE".to_owned(), "1".to_owned())],
        restart_policy: subject.restart_policy,
        stop_timeout: subject.stop_timeout,
        gate: Gate::default(),
        listen: formation::Addresses::default(),
        frontend: balance::Frontend::default(),
    }
}

impl Place<'_> {
    pub(super) fn plan(&self, release: Release, wanted: &[&str], intent: &Intent) -> Plan {
        Plan::ask(self.scheduler, release, &formation(wanted), intent).expect("makes a plan")
    }

    pub(super) fn deploy(&self, plan: &Plan) -> Result<DeployOutcome, Error> {
        self.deploy_watched(plan, &Cancel::default(), &mut |_| ())
    }

    pub(super) fn deploy_watched(
        &self,
        plan: &Plan,
        cancel: &Cancel,
        say: &mut dyn FnMut(Progress),
    ) -> Result<DeployOutcome, Error> {
        self.scheduler.deploy(plan, &mut Requester { tell: say, cancel, lock: None })
    }

    pub(super) fn stop(&self, which: &Which, grace: Duration, remove: bool) -> Stopped {
        let order = StopOrder { app: app(), which: which.clone(), grace, remove };
        let mut say = |_| ();
        let mut requester = Requester { tell: &mut say, cancel: &Cancel::default(), lock: None };
        self.scheduler.stop(&order, &mut requester).expect("stops")
    }

    pub(super) fn status(&self) -> AppStatus {
        let all = self.scheduler.status(&[app()]).expect("tells the status");
        assert_eq!(all.len(), 1, "one app, one status");
        self.scheduler.status_of(&app()).expect("tells the status")
    }

    /// The identities of the instances, in the order of the slots.
    pub(super) fn identities(&self) -> Vec<Identity> {
        let identity = |instance: Instance| (instance.pid, instance.container_id);
        self.status().instances.into_iter().map(identity).collect()
    }

    pub(super) fn eventually(&self, fact: &str, holds: impl Fn(&AppStatus) -> bool) {
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
