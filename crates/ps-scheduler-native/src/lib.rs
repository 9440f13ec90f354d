//! Native processes: writes an app's spec, starts `ps-supervise` if none runs, sends it orders, and follows the result.
//! Status is read from files, without asking the supervisor.

mod begin;
mod confinement;
mod deploy;
mod drift;
mod enter;
mod fixed_port;
mod follow;
mod health;
mod inspect;
mod logs;
mod one_off;
mod preflight;
mod processes;
mod reach;
mod reset;
mod rolling;
mod signal;
mod source_trees;
mod specify;
mod status;
mod stop;
mod taken_port;
mod task;
mod upkeep;
mod vacate;

use std::collections::BTreeSet;
use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use formation::{AppName, Slot, Which};
use log_store::Upkeep;
use ps_apps::World;
use ps_rollout::Strategy;
use ps_scheduler::{
    AppStatus, Cancel, DeployOutcome, Drift, Ended, Entry, Error, Instance, Leftover, LogRequest, LogSink,
    Moved, OneOff, OsProcess, Plan, Reached, Release, Requester, Scheduler, SignalOrder, Signalled,
    StopOrder, Stopped, Task,
};
use ps_service::{Service, earlier, root};
use ps_supervisor::Spec;

use crate::one_off::OneOffs;
pub use crate::source_trees::{Pushed, SourceTrees};
pub use ps_root::{LastWill, Provision};

/// The scheduler `native`: each app's processes under a supervisor of its own.
#[derive(Clone, Debug)]
pub struct Native {
    world: World,
    supervise: Option<PathBuf>,
    measures_usage: bool,
}

impl Native {
    /// The native scheduler of a `World`. Nothing is read or started yet.
    pub fn new(world: &World) -> Self {
        Self { world: world.clone(), supervise: None, measures_usage: true }
    }

    /// The same scheduler with this `ps-supervise` instead of the one beside the running program or on `PATH`.
    #[must_use]
    pub fn with_supervise(self, program: PathBuf) -> Self {
        Self { supervise: Some(program), ..self }
    }

    /// The same scheduler, whose statuses leave out CPU and memory. That halves the cost for callers that need only the states of very
    /// many instances.
    #[must_use]
    pub fn without_usage(self) -> Self {
        Self { measures_usage: false, ..self }
    }

    /// The directory in which an app's processes run, as it was given to the last deploy; `None` if the app was never
    /// deployed here.
    pub fn directory(&self, app: &AppName) -> Result<Option<PathBuf>, Error> {
        Ok(self.service(app).spec()?.map(|spec| spec.typed.unwrap_or(spec.directory)))
    }

    /// The source trees of an app that was pushed.
    pub fn source_trees(&self, app: &AppName) -> SourceTrees {
        SourceTrees::of(self.service(app))
    }

    /// Every process of the instances that run, in the order of the slots.
    pub fn processes(&self, app: &AppName) -> Result<Vec<OsProcess>, Error> {
        processes::processes(&self.service(app))
    }

    /// Starts a supervisor if that of a running app has died; the new one takes over the processes.
    pub fn keep(&self, app: &AppName) -> Result<(), Error> {
        let service = self.service(app);
        earlier::take_over(&service)?;
        let runs = status::instances(&service)?.iter().any(|instance| instance.pid.is_some());
        if runs && service.connect().is_none() {
            service.supervised()?;
        }
        Ok(())
    }

    /// From now on the root runs a command about an app if this program dies before the returned value is dropped. `None`: there
    /// is no root, and none can be started.
    pub fn provide_for(&self, app: &AppName, will: &LastWill) -> Option<Provision> {
        root::provide_for(&self.service(app), will)
    }

    /// Starts the root if none runs, and does not wait until it listens. The caller has other work to do before it starts an app.
    pub fn call_root(&self, app: &AppName) {
        root::call(&self.service(app));
    }

    /// The pid of the root, if one lives.
    pub fn root(&self, app: &AppName) -> Option<u32> {
        root::pid(&self.service(app))
    }

    /// Carries out a plan that starts instances and replaces none. Returns once each slot that is to be filled has had a process,
    /// without waiting until the instances are up. If one dies afterwards, its restart policy decides.
    pub fn begin(&self, plan: &Plan, requester: &mut Requester<'_>) -> Result<(), Error> {
        let service = self.service(&plan.release.app);
        earlier::take_over(&service)?;
        let begun = begin::begin(&service, plan, requester);
        root::tell(requester);
        begun
    }

    /// Ends the instances in these slots and starts them again from their release, all at once. Returns once they have started, without
    /// waiting until they are ready.
    pub fn replace(&self, app: &AppName, slots: &BTreeSet<Slot>) -> Result<(), Error> {
        let service = self.service(app);
        earlier::take_over(&service)?;
        // What the supervisor replaces by itself, because a file has changed or the time has come, is begun anew.
        let cancel = Cancel::default();
        let mut silent = Requester { tell: &mut |_| (), cancel: &cancel, lock: None };
        rolling::end_interrupted(&service, Leftover::PutBack, &mut silent)?;
        begin::replace(&service, slots)
    }

    /// Whether a supervisor or an instance of an app lives.
    pub fn lives(&self, app: &AppName) -> bool {
        let service = self.service(app);
        let is_live = |instance: &Instance| instance.pid.is_some();
        service.connect().is_some()
            || status::instances(&service).is_ok_and(|found| found.iter().any(is_live))
    }

    /// Whether a root lives.
    pub fn has_root(&self, app: &AppName) -> bool {
        root::lives(&self.service(app))
    }

    /// Creates the file for the output of a detached one-off, and returns it with its path. The file is removed with the one-off.
    pub fn open_log_of_one_off(&self, app: &AppName, name: &Slot) -> Result<(PathBuf, File), Error> {
        OneOffs::of(&self.service(app)).open_log(name)
    }

    /// The same as [`Native::provide_for`], if a root runs already; none is started.
    pub fn provide_with_a_living_root(&self, app: &AppName, will: &LastWill) -> Option<Provision> {
        root::provide_with_a_living_one(&self.service(app), will)
    }

    /// Ends the native instances of an app whose address stays, because its clients are sent to instances elsewhere by now. Each
    /// instance keeps its connections until they end, or until its time is over. The supervisor stays, for the address alone.
    ///
    /// # Errors
    /// An instance does not end, the supervisor cannot be asked, or waiting was cancelled.
    pub fn vacate(
        &self,
        app: &AppName,
        grace: Duration,
        requester: &mut Requester<'_>,
    ) -> Result<Stopped, Error> {
        let service = self.service(app);
        earlier::take_over(&service)?;
        let vacated = vacate::vacate(&service, requester)?;
        OneOffs::of(&service).end(grace, true);
        Ok(vacated)
    }

    /// Whether the app has a spec with native processes, and an address.
    pub fn has_processes(&self, app: &AppName) -> bool {
        let spec = Spec::read(&self.service(app).directory);
        spec.is_ok_and(|spec| !spec.listen.is_empty() && !spec.processes.is_empty())
    }

    /// Whether clients of the app's address are sent to instances that do not run natively.
    pub fn leads_elsewhere(&self, app: &AppName) -> bool {
        ps_supervisor::leads_elsewhere(&self.service(app).directory)
    }

    /// Removes all files of an app. No process of the app may run any more.
    pub fn forget(&self, app: &AppName) -> Result<(), Error> {
        self.service(app).forget()
    }

    fn service(&self, app: &AppName) -> Service {
        Service::of(&self.world, app, self.supervise.as_deref())
    }
}

impl Scheduler for Native {
    fn name(&self) -> &'static str {
        "native"
    }

    /// Instances listen on the port of their slot, so only one run of a slot at a time can listen.
    fn usual_strategy(&self) -> Strategy {
        Strategy::OneByOne
    }

    fn status(&self, apps: &[AppName]) -> Result<Vec<AppStatus>, Error> {
        let status = |app: &AppName| {
            let service = self.service(app);
            if self.measures_usage { status::app(&service) } else { status::brief(&service) }
        };
        apps.iter().map(status).collect()
    }

    fn drift(&self, release: &Release) -> Result<Vec<Drift>, Error> {
        drift::drift(&self.service(&release.app), release)
    }

    fn judge(&self, plan: &Plan) -> Result<(), Error> {
        deploy::judge(&self.service(&plan.release.app), plan)
    }

    fn deploy(&self, plan: &Plan, requester: &mut Requester<'_>) -> Result<DeployOutcome, Error> {
        let service = self.service(&plan.release.app);
        earlier::take_over(&service)?;
        let deployed = deploy::deploy(&service, plan, requester);
        root::tell(requester);
        deployed
    }

    fn tend(&self, plan: &Plan, requester: &mut Requester<'_>) -> Result<(), Error> {
        let service = self.service(&plan.release.app);
        earlier::take_over(&service)?;
        rolling::end_interrupted(&service, Leftover::PutBack, requester)?;
        let is_kept = || service.is_tended() && specify::is_in_force(&service, plan);
        if plan.filled().next().is_none() {
            return Ok(());
        }
        if is_kept() {
            root::ensure(&service);
        } else {
            deploy::deploy(&service, plan, requester)?;
        }
        root::tell(requester);
        Ok(())
    }

    fn witness(&self, app: &AppName) -> Option<PathBuf> {
        Some(ps_service::witness(app))
    }

    fn end_interrupted(
        &self,
        app: &AppName,
        leftover: Leftover,
        requester: &mut Requester<'_>,
    ) -> Result<(), Error> {
        rolling::end_interrupted(&self.service(app), leftover, requester)
    }

    fn run_task(&self, plan: &Plan, task: &Task, requester: &mut Requester<'_>) -> Result<(), Error> {
        deploy::run_task(&self.service(&plan.release.app), plan, task, requester)
    }

    fn reached(&self, app: &AppName) -> Result<Reached, Error> {
        Ok(self.service(app).reached())
    }

    fn reach(&self, release: &Release) -> Result<Moved, Error> {
        let service = self.service(&release.app);
        earlier::take_over(&service)?;
        reach::reach(&service, release)
    }

    fn stop(&self, order: &StopOrder, requester: &mut Requester<'_>) -> Result<Stopped, Error> {
        let service = self.service(&order.app);
        earlier::take_over(&service)?;
        let stopped = stop::stop(&service, order, requester);
        if order.remove && order.which == Which::All {
            OneOffs::of(&service).end(order.grace, true);
        }
        stopped
    }

    fn signal(&self, order: &SignalOrder) -> Result<Vec<(Slot, Signalled)>, Error> {
        signal::send(&self.service(&order.app), order)
    }

    fn reset(&self, app: &AppName, which: &Which) -> Result<(), Error> {
        let service = self.service(app);
        earlier::take_over(&service)?;
        reset::reset(&service, which)
    }

    fn is_to_fill(&self, app: &AppName, which: &Which) -> bool {
        stop::is_to_fill(&self.service(app), which)
    }

    fn stop_beside(
        &self,
        order: &StopOrder,
        requester: &mut Requester<'_>,
    ) -> Result<Option<Stopped>, Error> {
        stop::beside(&self.service(&order.app), order, requester)
    }

    fn name_for_one_off(&self, app: &AppName) -> Result<Slot, Error> {
        OneOffs::of(&self.service(app)).free_name()
    }

    fn run_once(&self, order: &OneOff<'_>) -> Result<Ended, Error> {
        one_off::run(&self.service(&order.release.app), order)
    }

    fn enter(&self, entry: &Entry<'_>) -> Result<Ended, Error> {
        enter::enter(&self.service(entry.app), entry)
    }

    fn inspect(&self, app: &AppName) -> Result<serde_json::Value, Error> {
        inspect::inspect(&self.service(app))
    }

    fn logs(&self, request: &LogRequest, sink: &mut dyn LogSink) -> Result<(), Error> {
        logs::logs(&self.service(&request.app), request, sink)
    }

    fn keep_up_logs(&self, app: &AppName, which: &Which, upkeep: Upkeep) -> Result<u64, Error> {
        upkeep::keep_up_logs(&self.service(app), which, upkeep)
    }

    fn retire(&self, app: Option<&AppName>) -> Result<Vec<String>, Error> {
        let apps = match app {
            Some(app) => vec![app.clone()],
            None => Service::apps(&self.world)?,
        };
        let mut removed = Vec::new();
        for app in apps {
            removed.extend(self.source_trees(&app).retire()?);
            let service = self.service(&app);
            let grace = self.world.stop_timeout(&app).unwrap_or_default();
            removed.extend(OneOffs::of(&service).end(grace, false));
        }
        Ok(removed)
    }
}

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
