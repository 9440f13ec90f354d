//! The scripts of app.json that belong to a deploy. Before the new instances they run in Dokku's order: `predeploy`, the process
//! `release`, and in the first deploy of an app `scripts.postdeploy`. The last one is recorded before it runs, where Dokku records it
//! too, so that it never runs twice, not even if the deploy fails.

use anyhow::Result;
use app_json::{AppJson, Script};
use formation::AppName;
use ps_apps::{AppLock, Scope, World};
use ps_release::{Release, is_run_here};
use ps_scheduler::{Effect, Plan, Scheduler, Source, Task};
use ps_scheduler_docker::DockerLocal;

use crate::session::Session;

const PREDEPLOY: &str = "predeploy";
const FIRST: &str = "first-postdeploy";
const POSTDEPLOY: &str = "postdeploy";
/// The property of Dokku's plugin that says whether `scripts.postdeploy` was run.
const PLUGIN: &str = "app-json";
const RAN: &str = "heroku.postdeploy";
const EXECUTED: &str = "executed";

/// The scripts of app.json that still have to run.
#[derive(Default)]
pub(crate) struct Scripts {
    /// Runs before everything else.
    pub(crate) predeploy: Option<Task>,
    /// Runs in the first deploy, after the process `release`.
    pub(crate) first: Option<Task>,
    /// Runs when the new release runs.
    pub(crate) postdeploy: Option<Task>,
}

impl Scripts {
    /// The scripts for a deploy of this release. `prepared`: the image that an earlier run of `predeploy` has made from its source.
    pub(crate) fn of(
        world: &World,
        release: &Release,
        app_json: &AppJson,
        prepared: Option<&String>,
    ) -> Result<Self> {
        if !is_run_here(world, &release.source) {
            return Ok(Self::default());
        }
        let task = |name: &str, command: &str| Task::new(name, command, Effect::NothingChanges);
        let predeploy = app_json.script(Script::Predeploy).filter(|_| prepared.is_none());
        let first = app_json.script(Script::FirstDeploy).map(|command| task(FIRST, command));
        Ok(Self {
            predeploy: predeploy.map(|command| task(PREDEPLOY, command)),
            first: if first.is_some() && is_first(world, &release.app)? { first } else { None },
            postdeploy: postdeploy(world, release, app_json),
        })
    }
}

/// Runs the tasks before the new instances, if there are scripts among them; a plain `release` process is run by the scheduler itself.
/// `prepared` is the image that an earlier run of `predeploy` has made from this source. Returns the image that this run has made,
/// which the plan then uses.
pub(crate) fn before(
    session: &Session,
    lock: &AppLock,
    scheduler: &dyn Scheduler,
    plan: &mut Plan,
    (app_json, prepared): (&AppJson, Option<&String>),
) -> Result<Option<String>> {
    let (world, app) = (&session.world, &plan.release.app.clone());
    let mut prepared = prepared.cloned();
    let Scripts { predeploy, first, .. } = Scripts::of(world, &plan.release, app_json, prepared.as_ref())?;
    if predeploy.is_none() && first.is_none() {
        return Ok(prepared);
    }
    if let Some(task) = predeploy {
        prepared = prepare(session, lock, scheduler, plan, &task)?;
    }
    for task in std::mem::take(&mut plan.tasks) {
        run(session, lock, scheduler, plan, &task)?;
    }
    if let Some(task) = first {
        world.set_property(PLUGIN, Scope::App(app), RAN, EXECUTED)?;
        run(session, lock, scheduler, plan, &task)?;
    }
    Ok(prepared)
}

/// Runs `predeploy`. Its changes in the file system are kept: of a native app in the directory, otherwise as an image.
fn prepare(
    session: &Session,
    lock: &AppLock,
    scheduler: &dyn Scheduler,
    plan: &mut Plan,
    task: &Task,
) -> Result<Option<String>> {
    if plan.release.source.is_native() {
        run(session, lock, scheduler, plan, task)?;
        return Ok(None);
    }
    let docker = DockerLocal::new(&session.world);
    let image = session.with_requester(&plan.release.app, |requester| {
        docker.prepare_image(&plan.release, task, requester)
    })?;
    plan.release.source = Source::Image(image.clone());
    Ok(Some(image))
}

/// Runs the script that follows once the new release runs.
pub(crate) fn after(
    session: &Session,
    lock: &AppLock,
    scheduler: &dyn Scheduler,
    plan: &Plan,
    app_json: &AppJson,
) -> Result<()> {
    let Some(task) = postdeploy(&session.world, &plan.release, app_json) else { return Ok(()) };
    run(session, lock, scheduler, plan, &task)
}

fn postdeploy(world: &World, release: &Release, app_json: &AppJson) -> Option<Task> {
    let command = app_json.script(Script::Postdeploy).filter(|_| is_run_here(world, &release.source))?;
    Some(Task::new(POSTDEPLOY, command, Effect::NewReleaseRuns))
}

fn run(session: &Session, lock: &AppLock, scheduler: &dyn Scheduler, plan: &Plan, task: &Task) -> Result<()> {
    let app = &plan.release.app;
    Ok(session
        .with_requester_holding(app, Some(lock), |requester| scheduler.run_task(plan, task, requester))?)
}

/// Whether no deploy of the app has succeeded yet, and no deploy has begun to run the script.
fn is_first(world: &World, app: &AppName) -> Result<bool> {
    let ran = world.property(PLUGIN, Scope::App(app), RAN)?;
    Ok(ran.as_deref() != Some(EXECUTED) && !ps_dokku::is_deployed(world, app)?)
}
