//! `ps:retire`: removes what earlier deploys left behind, and one-off containers whose time is over. Only one such
//! command runs at a time. Without an app it calls the trigger once for all apps if none of them is being changed;
//! otherwise once for each app that is not being changed.

use anyhow::Result;
use formation::AppName;
use ps_apps::{AppLock, SchedulerName, Scope, World};
use ps_cli::exit::Outcome;
use ps_cli::say;
use ps_dokku::{Caller, Error, order};

use super::apps;
use crate::args::RetireArgs;
use crate::retire;
use crate::session::Session;

pub(crate) fn run(session: &Session, args: &RetireArgs) -> Result<Outcome> {
    let world = &session.world;
    let app = args.app.as_deref().filter(|app| !app.is_empty());
    let app = app.map(|app| apps::named(session, Some(app))).transpose()?;
    let _one = retire::lock(world)?;
    match &app {
        Some(app) => one(session, app)?,
        None => every(session)?,
    }
    say::step_always("Retiring expired run and cron containers")?;
    Caller::new(world).make(&order::after_retire())?;
    Ok(Outcome::Done)
}

fn one(session: &Session, app: &AppName) -> Result<()> {
    let lock = session.lock(app)?;
    let caller = Caller::holding(&session.world, &lock);
    // A deploy by git does not hold the app's lock. What it leaves behind is removed by the next `ps:retire`.
    let _deploy = ps_dokku::refuse_deploying(&session.world, app).or_else(unless_locked)?;
    begin(&caller, &session.world.scheduler_name(app)?, app.as_str())
}

fn every(session: &Session) -> Result<()> {
    let world = &session.world;
    let mut locks = Vec::new();
    let mut busy = Vec::new();
    for app in world.apps()? {
        match free(session, &app.name) {
            Ok(lock) => locks.push((app.name, lock)),
            Err(error) => busy.push((app.name, error)),
        }
    }
    let caller = Caller::new(world);
    if busy.is_empty() {
        return begin(&caller, &of_no_app(world)?, "");
    }
    for (app, error) in busy {
        say::warning(&format!("Skipping ps:retire for {app} this time: {error:#}"));
    }
    locks.iter().try_for_each(|(app, _)| begin(&caller, &world.scheduler_name(app)?, app.as_str()))
}

/// The scheduler that is asked if no app is named.
fn of_no_app(world: &World) -> Result<SchedulerName> {
    Ok(world.chosen_scheduler(Scope::Global)?.unwrap_or(SchedulerName::DockerLocal))
}

/// Takes the lock of an app, without waiting for a verb that holds it.
fn free(session: &Session, app: &AppName) -> Result<AppLock> {
    let lock = session.world.lock_app(app, std::time::Duration::ZERO)?;
    ps_dokku::refuse_deploying(&session.world, app).or_else(unless_locked)?;
    Ok(lock)
}

/// Ignores the error of `apps:lock`: that lock is against deploys, and not against the removal of what they left
/// behind.
fn unless_locked<T: Default>(error: Error) -> Result<T, Error> {
    match error {
        Error::DeployLocked { .. } => Ok(T::default()),
        error => Err(error),
    }
}

fn begin(caller: &Caller, scheduler: &SchedulerName, app: &str) -> Result<()> {
    say::step_always("Retiring old containers and images")?;
    Ok(caller.make(&order::retire(scheduler.as_str(), app))?)
}
