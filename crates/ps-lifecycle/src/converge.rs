//! `converge`: starts and stops instances until they match the formation. `ps-scale` calls it; so can a pipeline.

use anyhow::Result;
use formation::{AppName, Formation, Which};
use ps_apps::{App, StoredFormation, World};
use ps_cli::exit::Outcome;
use ps_scheduler::{AppStatus, Intent, Plan, Running};

use crate::args::ConvergeArgs;
use crate::session::Session;
use crate::{elsewhere, interrupted, journal, provision, release};

pub(crate) fn run(session: &Session, args: &ConvergeArgs) -> Result<Outcome> {
    let app = session.world.app(&args.app)?;
    session.of_app("converge", &app.name, || converge(session, &app))
}

fn converge(session: &Session, app: &App) -> Result<Outcome> {
    elsewhere::refuse(&session.world, &app.name, "converge")?;
    let _lock = session.lock(&app.name)?;
    let _provision = provision::make(session, &app.name);
    if is_held(session, app)? && is_stopped(session, app, &status(session, app)?)? {
        session.fact(&format!("{0} is stopped: ps-lifecycle start {0} applies its formation", app.name))?;
        return Ok(Outcome::Done);
    }
    carry_out(session, app, &Intent::Converge(Which::All))?;
    Ok(Outcome::Done)
}

/// Makes a plan with this intent and carries it out; the caller holds the lock.
pub(crate) fn carry_out(session: &Session, app: &App, intent: &Intent) -> Result<()> {
    let world = &session.world;
    interrupted::put_back(session, &app.name)?;
    let Some(release) = release::deployed(world, &app.name)? else {
        return Err(ps_scheduler::Error::NotDeployed { app: app.name.clone() }.into());
    };
    let stored = world.formation(&app.name)?;
    let wanted = wanted(world, &app.name, &stored)?;
    let scheduler = ps_schedulers::of(world, &app.name)?;
    let plan = Plan::ask(scheduler.as_ref(), release, &wanted, intent)?;
    if plan.is_noop() {
        session.with_requester(&app.name, |requester| scheduler.tend(&plan, requester))?;
    } else {
        journal::planned(world, &app.name, &plan);
        let outcome = session.deploy(None, scheduler.as_ref(), &plan)?;
        journal::done(world, &app.name, &outcome);
    }
    if !stored.old.is_empty() {
        world.forget_old_formation(&app.name)?;
    }
    Ok(())
}

/// The formation, limited to the types that the app's Procfile has.
pub(crate) fn wanted(world: &World, app: &AppName, stored: &StoredFormation) -> Result<Formation> {
    Ok(release::runnable_of(stored, world.known_types(app)?.as_ref()))
}

/// The status that the app's scheduler reports.
pub(crate) fn status(session: &Session, app: &App) -> Result<AppStatus> {
    Ok(ps_schedulers::of(&session.world, &app.name)?.status_of(&app.name)?)
}

/// Whether the app was stopped: it is not to be restored, and nothing of it runs.
pub(crate) fn is_stopped(session: &Session, app: &App, status: &AppStatus) -> Result<bool> {
    Ok(is_held(session, app)? && status.running() == Running::False)
}

fn is_held(session: &Session, app: &App) -> Result<bool> {
    Ok(!session.world.is_restored(&app.name)?)
}
