//! `converge`: what runs is made to match the formation. `ps-scale` calls it; so can a pipeline.

use anyhow::Result;
use ps_apps::{App, Scope};
use ps_cli::exit::{Outcome, Refusal};
use ps_scheduler::{Intent, Plan, Running, Which};

use crate::args::ConvergeArgs;
use crate::session::Session;
use crate::{release, schedulers};

pub(crate) fn run(session: &Session, args: &ConvergeArgs) -> Result<Outcome> {
    let app = session.world.app(&args.app)?;
    let _lock = session.lock(&app.name)?;
    if is_stopped(session, &app)? {
        session.fact(&format!("{0} is stopped: ps-lifecycle start {0} applies its formation", app.name))?;
        return Ok(Outcome::Done);
    }
    carry_out(session, &app, &Intent::Converge(Which::All))?;
    Ok(Outcome::Done)
}

/// Makes a plan with this intent and carries it out; the caller holds the lock.
pub(crate) fn carry_out(session: &Session, app: &App, intent: &Intent) -> Result<()> {
    let world = &session.world;
    let Some(release) = release::deployed(world, &app.name)? else {
        return Err(Refusal::failed(format!(
            "{0} is not deployed: run ps-lifecycle deploy {0} first",
            app.name
        )));
    };
    let stored = world.formation(&app.name)?;
    let wanted = release::runnable(&stored, &release);
    let scheduler = schedulers::of(world, &app.name)?;
    let status = scheduler.status(&[app.name.to_string()])?.remove(0);
    let plan = Plan::new(release, &wanted, &status.instances, intent);
    // Also a plan in which nothing happens: what the scheduler keeps may be behind what is recorded.
    session.watch(|watch| scheduler.deploy(&plan, watch))?;
    if !stored.old.is_empty() {
        world.forget_old_formation(&app.name)?;
    }
    Ok(())
}

/// Whether somebody stopped the app: it is not to be restored, and nothing of it runs.
fn is_stopped(session: &Session, app: &App) -> Result<bool> {
    let restore = session.world.property("ps", Scope::App(&app.name), "restore")?;
    if restore.as_deref() != Some("false") {
        return Ok(false);
    }
    let scheduler = schedulers::of(&session.world, &app.name)?;
    let status = scheduler.status(&[app.name.to_string()])?.remove(0);
    Ok(status.running() == Running::False)
}
