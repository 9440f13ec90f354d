//! `mend`: the work that `watch` has done for an app, under the app's lock like any other verb. If another program has
//! changed the app since `watch` looked at it, nothing is done.

use anyhow::{Result, bail};
use formation::{Slot, Which};
use ps_apps::{App, AppLock, SchedulerName};
use ps_cli::exit::Outcome;
use ps_scheduler::Intent;
use ps_scheduler_docker::DockerLocal;
use ps_scheduler_swarm::Swarm;

use crate::args::{MendArgs, Mending};
use crate::session::Session;
use crate::{converge, journal};

pub(crate) fn run(session: &Session, args: &MendArgs) -> Result<Outcome> {
    if !session.world.apps()?.iter().any(|app| app.name.as_str() == args.app) {
        // The app was destroyed meanwhile.
        return Ok(Outcome::Done);
    }
    let app = session.world.app(&args.app)?;
    match (args.what, &args.slot, &args.container) {
        (Mending::Redirect, _, _) => redirect(session, &app)?,
        (what, Some(slot), Some(container)) => {
            journal::of_verb(&session.world, "mend", &app.name, || {
                fill(session, &app, what, slot, container)
            })?;
        }
        (Mending::Replace | Mending::Start, _, _) => bail!("an instance and its container are wanted"),
    }
    Ok(Outcome::Done)
}

fn fill(session: &Session, app: &App, what: Mending, slot: &Slot, container: &str) -> Result<()> {
    let lock = session.lock(&app.name)?;
    let records = session.world.instance_files(&app.name)?;
    let is_same = records.slots.get(slot).is_some_and(|record| record.id.as_deref() == Some(container));
    if !is_same || !session.world.is_restored(&app.name)? {
        return Ok(());
    }
    session.trigger(&lock, "pre-start", &[app.name.as_str()])?;
    let which = Which::Slot(slot.clone());
    let intent = if what == Mending::Replace { Intent::Restart(which) } else { Intent::Start(which) };
    converge::carry_out(session, app, &intent)
}

fn redirect(session: &Session, app: &App) -> Result<()> {
    let (world, name) = (&session.world, &app.name);
    let lock = session.lock(name)?;
    match world.scheduler_name(name)? {
        SchedulerName::Swarm if world.is_restored(name)? => {
            let swarm = Swarm::new(world);
            session.with_requester(name, |requester| swarm.redirect(name, requester.cancel))?;
        }
        SchedulerName::DockerLocal => {
            let docker = DockerLocal::new(world);
            if session.with_requester(name, |requester| docker.redirect(name, requester))? {
                tell_proxies(session, &lock, app)?;
            }
        }
        SchedulerName::Native | SchedulerName::Swarm | SchedulerName::External(_) => (),
    }
    Ok(())
}

fn tell_proxies(session: &Session, lock: &AppLock, app: &App) -> Result<()> {
    session.trigger(lock, "proxy-build-config", &[app.name.as_str()])
}
