//! `finish`: what a verb that was killed has left is brought to its end, so that what is recorded of an app runs. The root calls it
//! (`provision`); nobody else has to, because every verb begins with it.

use anyhow::Result;
use formation::Which;
use ps_apps::{App, SchedulerName};
use ps_cli::exit::Outcome;
use ps_scheduler::{Intent, Leftover};

use crate::args::FinishArgs;
use crate::session::Session;
use crate::{converge, journal, stop};

/// Makes true what is recorded, once nothing is under way any more
pub(crate) fn run(session: &Session, args: &FinishArgs) -> Result<Outcome> {
    if !session.world.apps()?.iter().any(|app| app.name.as_str() == args.app) {
        // It was destroyed meanwhile.
        return Ok(Outcome::Done);
    }
    let app = session.world.app(&args.app)?;
    journal::of_verb(&session.world, "finish", &app.name, || finish(session, &app, args))?;
    Ok(Outcome::Done)
}

fn finish(session: &Session, app: &App, args: &FinishArgs) -> Result<()> {
    let world = &session.world;
    // Without the lock, which may be wanted by somebody who would rather have something else.
    let scheduler =
        world.intended_scheduler(&app.name).map_or_else(|| world.scheduler_name(&app.name), Ok)?;
    await_end(session, app, &scheduler)?;
    let lock = session.lock(&app.name)?;
    if !world.is_app(&app.name)? {
        // It was destroyed meanwhile, and has no lock any more.
        lock.retire();
        return Ok(());
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
    Ok(session.watch(|watch| scheduler.end_interrupted(&app.name, Leftover::Awaited, watch))?)
}

/// What a deploy has left that was killed is put back, or written down if it is too late for that; the caller holds the lock.
pub(crate) fn settle(session: &Session, app: &formation::AppName) -> Result<()> {
    let Some(name) = session.world.intended_scheduler(app) else { return Ok(()) };
    let scheduler = ps_schedulers::named(&session.world, &name);
    session.watch(|watch| scheduler.end_interrupted(app, Leftover::PutBack, watch))?;
    session.world.conclude_intended(app)?;
    Ok(())
}
