//! docker-local: the instances of apps are containers of the Docker engine of this machine, one for each slot, or two
//! during a rollout, recorded in files as Dokku records them. The interface is synchronous; inside, there is one thread
//! and `ps-engine`. It never connects to an engine on another machine, and never touches a container of another
//! world.

mod address;
mod app;
mod asking;
mod beside;
mod blueprint;
mod bookmark;
mod build;
mod build_account;
mod build_failure;
mod build_order;
mod carry_out;
mod checks;
mod clients;
mod clock;
mod containers;
mod context;
mod cron;
mod deploy;
mod docker_local;
mod dockerfile;
mod drift;
mod end_in_words;
mod engine_option;
mod entrypoint;
mod failed;
mod follow;
mod found;
mod image_file;
mod inspect;
mod interruptible;
mod judge;
mod label;
mod left_over;
mod lines;
mod logs;
mod look;
mod merged;
mod network;
mod on_failure;
mod one_off;
mod one_shot;
mod predeploy;
mod processes;
mod pull;
mod recover;
mod redirect;
mod reproduce;
mod retire;
mod rollout_file;
mod schedule;
mod schedule_file;
mod service;
mod set_for_type;
mod sight;
mod stand_in;
mod status;
mod steps;
mod stop;
mod stop_request;
mod tags;
mod task;
mod vertices;
mod watch;
mod watch_file;
mod watch_look;
mod watch_notes;
mod watch_rounds;
mod watch_schedule;

use std::path::PathBuf;

use formation::{AppName, Slot, Which};
use ps_rollout::Strategy;
use ps_scheduler::{
    AppStatus, DeployOutcome, Drift, Ended, Entry, Error, Leftover, LogRequest, LogSink, Moved, OneOff, Plan,
    Reached, Release, Requester, Scheduler, StopOrder, Stopped, Task,
};
use ps_service::Service;

pub use build_order::{BuildOrder, Recipe};
pub use docker_local::DockerLocal;
pub use pull::Pull;
pub use schedule_file::Timetables;
pub use tags::ImageTag;
pub use watch::{Deed, Id, News, Watcher, What};

impl Scheduler for DockerLocal {
    fn name(&self) -> &'static str {
        "docker-local"
    }

    /// A container has an address of its own, so the old and the new one can run side by side.
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

    fn drift(&self, release: &Release) -> Result<Vec<Drift>, Error> {
        drift::drift(self, release)
    }

    fn tend(&self, plan: &Plan, requester: &mut Requester<'_>) -> Result<(), Error> {
        deploy::tend(self, plan, requester)
    }

    fn witness(&self, app: &AppName) -> Option<PathBuf> {
        Some(rollout_file::witness(app))
    }

    /// The executor of the interrupted rollout was the process that died, so every such rollout is taken over here.
    fn end_interrupted(
        &self,
        app: &AppName,
        _: Leftover,
        requester: &mut Requester<'_>,
    ) -> Result<(), Error> {
        deploy::end_interrupted(self, app, requester)
    }

    fn reached(&self, app: &AppName) -> Result<Reached, Error> {
        Ok(Service::of(self.world(), app, None).reached())
    }

    fn reach(&self, release: &Release) -> Result<Moved, Error> {
        deploy::reach(self, release)
    }

    fn stop(&self, order: &StopOrder, requester: &mut Requester<'_>) -> Result<Stopped, Error> {
        stop::stop(self, order, requester)
    }

    fn stop_beside(
        &self,
        order: &StopOrder,
        requester: &mut Requester<'_>,
    ) -> Result<Option<Stopped>, Error> {
        stop::beside(self, order, requester)
    }

    fn name_for_one_off(&self, app: &AppName) -> Result<Slot, Error> {
        one_off::name(self, app)
    }

    fn run_once(&self, order: &OneOff<'_>) -> Result<Ended, Error> {
        one_off::run(self, order)
    }

    fn run_task(&self, plan: &Plan, task: &Task, requester: &mut Requester<'_>) -> Result<(), Error> {
        task::run(self, &plan.release, task, requester)
    }

    fn enter(&self, entry: &Entry<'_>) -> Result<Ended, Error> {
        one_off::enter(self, entry)
    }

    fn inspect(&self, app: &AppName) -> Result<serde_json::Value, Error> {
        inspect::inspect(self, app)
    }

    fn logs(&self, request: &LogRequest, sink: &mut dyn LogSink) -> Result<(), Error> {
        logs::logs(self, request, sink)
    }

    fn reset(&self, app: &AppName, which: &Which) -> Result<(), Error> {
        watch_file::reset(self, app, which)
    }

    fn retire(&self, app: Option<&AppName>) -> Result<Vec<String>, Error> {
        retire::retire(self, app)
    }
}

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
