//! swarm: the instances of apps are tasks of services on a Docker Swarm. The interface is synchronous; inside, there is
//! one thread and `ps-engine`. The changes of a plan are sent to a manager and followed to their end. If the answer to
//! a change is lost, the result is looked up, and is never assumed.

mod address;
mod alone;
mod backends;
mod changes;
mod checkable;
mod clients;
mod committed;
mod deploy;
mod failed;
mod follow;
mod free_nodes;
mod health;
mod image_kind;
mod images;
mod instances;
mod judge;
mod label;
mod limit;
mod logs;
mod made;
mod manager;
mod no_input;
mod one_off;
mod place;
mod placement;
mod published;
mod put_back;
mod quorum;
mod reasons;
mod remarks;
mod resources;
mod sealed;
mod secret;
mod service;
mod shell;
mod spec;
mod standing;
mod status;
mod stop;
mod swarm;
mod swarm_task;
mod taken_port;
mod task;
mod unlabelled;
mod update_rules;
mod watch;
mod world_id;

use std::path::PathBuf;

use formation::{AppName, Slot};
use ps_rollout::Strategy;
use ps_scheduler::{
    AppStatus, Cancel, DeployOutcome, Ended, Entry, Error, Leftover, LogRequest, LogSink, Moved, OneOff,
    Plan, Progress, Reached, Release, Requester, Scheduler, StopOrder, Stopped, Task,
};
use ps_service::Service;

use crate::manager::Manager;

pub use ps_engine::ImageKind;
pub use swarm::Swarm;
pub use watch::AddressWatch;

impl Scheduler for Swarm {
    fn name(&self) -> &'static str {
        "swarm"
    }

    /// A task has an address of its own, so the old and the new one can run side by side.
    fn usual_strategy(&self) -> Strategy {
        Strategy::Overlap
    }

    fn status(&self, apps: &[AppName]) -> Result<Vec<AppStatus>, Error> {
        status::status(self, apps)
    }

    fn deploy(&self, plan: &Plan, requester: &mut Requester<'_>) -> Result<DeployOutcome, Error> {
        deploy::deploy(self, plan, requester)
    }

    fn judge(&self, plan: &Plan) -> Result<(), Error> {
        judge::judge(self, plan)
    }

    fn witness(&self, app: &AppName) -> Option<PathBuf> {
        Some(committed::witness(app))
    }

    /// The swarm goes on with what it was told to do; what was not committed is put back.
    fn end_interrupted(
        &self,
        app: &AppName,
        _: Leftover,
        requester: &mut Requester<'_>,
    ) -> Result<(), Error> {
        let Some(world) = self.known_id()? else { return Ok(()) };
        let committed = committed::read(self.world(), app)?;
        let engine = self.engine()?;
        let logins = self.logins(app, requester.tell);
        let manager = Manager { logins: &logins, ..Manager::new(engine, &world, app, requester.cancel) };
        let told = engine.run(async {
            task::forget_all(&manager).await?;
            let told = put_back::interrupted(&manager, committed.as_deref()).await?;
            secret::collect(&manager).await.map(|()| told)
        });
        requester.tell_all(told?.into_iter().map(Progress::Note));
        Ok(())
    }

    /// Where something of the app runs, it is reached at its address.
    fn tend(&self, plan: &Plan, requester: &mut Requester<'_>) -> Result<(), Error> {
        match plan.filled().next() {
            Some(_) => address::reach(self, &plan.release, requester.cancel),
            None => Ok(()),
        }
    }

    fn reached(&self, app: &AppName) -> Result<Reached, Error> {
        Ok(Service::of(self.world(), app, None).reached())
    }

    fn reach(&self, release: &Release) -> Result<Moved, Error> {
        address::move_to(self, release)
    }

    fn stop(&self, order: &StopOrder, requester: &mut Requester<'_>) -> Result<Stopped, Error> {
        stop::stop(self, order, requester)
    }

    fn run_task(&self, plan: &Plan, task: &Task, requester: &mut Requester<'_>) -> Result<(), Error> {
        task::run(self, &plan.release, task, requester)
    }

    fn name_for_one_off(&self, app: &AppName) -> Result<Slot, Error> {
        one_off::name(self, app)
    }

    fn run_once(&self, order: &OneOff<'_>) -> Result<Ended, Error> {
        one_off::run(self, order)
    }

    fn enter(&self, entry: &Entry<'_>) -> Result<Ended, Error> {
        place::enter(self, entry)
    }

    fn inspect(&self, app: &AppName) -> Result<serde_json::Value, Error> {
        status::inspect(self, app)
    }

    fn logs(&self, request: &LogRequest, sink: &mut dyn LogSink) -> Result<(), Error> {
        logs::logs(self, request, sink)
    }

    /// Removes the tasks of deploys that are no longer waited for, and the one-offs that are to be gone. Nothing of an app that is being deployed is changed.
    fn retire(&self, app: Option<&AppName>) -> Result<Vec<String>, Error> {
        let (Some(world), Some(app)) = (self.known_id()?, app) else { return Ok(Vec::new()) };
        let engine = self.engine()?;
        let cancel = Cancel::default();
        let manager = Manager::new(engine, &world, app, &cancel);
        engine.run(async {
            task::forget_all(&manager).await?;
            let removed = one_off::forget(&manager, false).await?;
            secret::collect(&manager).await.map(|()| removed)
        })
    }
}

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
