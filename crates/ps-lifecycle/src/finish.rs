//! `finish`: completes the work of a killed verb, so that an app runs as it is recorded. The root of the native apps
//! runs this verb (`provision`). A user need not, because every verb that changes an app does the same first.

use anyhow::Result;
use formation::{AppName, Which};
use ps_apps::{App, SchedulerName};
use ps_cli::exit::Outcome;
use ps_scheduler::{Intent, Leftover};

use crate::args::FinishArgs;
use crate::session::Session;
use crate::{converge, journal, stop};

/// Waits until no rollout is in progress, then starts and stops processes until the app runs as it is recorded.
pub(crate) fn run(session: &Session, args: &FinishArgs) -> Result<Outcome> {
    let name: AppName = args.app.parse().map_err(ps_apps::Error::from)?;
    if !session.world.is_app(&name)? {
        forget(session, &name)?;
        return Ok(Outcome::Done);
    }
    let app = session.world.app(&args.app)?;
    journal::of_verb(&session.world, "finish", &app.name, || finish(session, &app, args))?;
    Ok(Outcome::Done)
}

/// Removes what a killed `destroy` has left of an app that no longer exists.
fn forget(session: &Session, name: &AppName) -> Result<()> {
    let lock = session.lock(name)?;
    if !session.world.is_app(name)? {
        session.world.destroy_app(name)?;
        lock.retire();
    }
    Ok(())
}

fn finish(session: &Session, app: &App, args: &FinishArgs) -> Result<()> {
    let world = &session.world;
    // The lock is not held here, so that a user who wants to change the app meanwhile can do so.
    let scheduler =
        world.intended_scheduler(&app.name).map_or_else(|| world.scheduler_name(&app.name), Ok)?;
    await_end(session, app, &scheduler)?;
    let lock = session.lock(&app.name)?;
    if !world.is_app(&app.name)? {
        drop(lock);
        return forget(session, &app.name);
    }
    world.conclude_intended(&app.name)?;
    if !ps_dokku::is_deployed(world, &app.name)? {
        return Ok(());
    }
    if !world.is_restored(&app.name)? {
        return stop::end(session, app, &Which::All, false);
    }
    let which = args.which.clone().unwrap_or(Which::All);
    let intent = if args.start { Intent::Start(which) } else { Intent::Converge(Which::All) };
    converge::carry_out(session, app, &intent)
}

fn await_end(session: &Session, app: &App, scheduler: &SchedulerName) -> Result<()> {
    let scheduler = ps_schedulers::named(&session.world, scheduler);
    Ok(session.with_requester(&app.name, |requester| {
        scheduler.end_interrupted(&app.name, Leftover::Awaited, requester)
    })?)
}
