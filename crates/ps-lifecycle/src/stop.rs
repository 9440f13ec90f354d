//! `stop`: ends instances with their whole process trees, after their grace period, and reports those that did not end.

use anyhow::{Result, bail};
use formation::{AppName, State, Which};
use ps_apps::{App, AppLock};
use ps_cli::exit::Outcome;
use ps_scheduler::{Error, Instance, Scheduler, StopOrder, Stopped};

use crate::args::TargetArgs;
use crate::each::{self, Subjects};
use crate::provision;
use crate::session::Session;
use crate::wish::Wish;

/// Ends what runs
pub(crate) fn run(session: &Session, args: &TargetArgs) -> Result<Outcome> {
    let which = args.which.clone().unwrap_or(Which::All);
    let is_meant = |app: &App| Ok(ps_dokku::is_deployed(&session.world, &app.name)?);
    let subjects = Subjects { verb: "stop", app: args.app.as_deref(), all: &args.all };
    each::app(session, &subjects, is_meant, |app| stop(session, app, &which))
}

fn stop(session: &Session, app: &App, which: &Which) -> Result<()> {
    let Some(lock) = lock_or_take_in(session, app, which)? else { return Ok(()) };
    stop_locked(session, &lock, app, which)
}

/// As [`run`] for one app; the caller holds the lock.
pub(crate) fn stop_locked(session: &Session, lock: &AppLock, app: &App, which: &Which) -> Result<()> {
    refuse_absent(session, app, which)?;
    session.step(&format!("Stopping {}", app.name))?;
    if *which != Which::All {
        return end(session, app, which, false);
    }
    let _provision = provision::for_stop(session, &app.name);
    // A full disk must not keep instances alive. So if the property cannot be written, the instances are stopped
    // nevertheless, and writing is tried again afterwards.
    let wish = Wish::set(&session.world, &app.name, false);
    let ended = end(session, app, which, false);
    match wish {
        Ok(wish) if has_not_begun(&ended) => wish.put_back(),
        Err(_) if ended.is_ok() => drop(Wish::set(&session.world, &app.name, false)?),
        Ok(_) | Err(_) => (),
    }
    ended?;
    session.trigger(lock, "post-stop", &[app.name.as_str()])
}

/// Takes the app's lock. If another verb holds it for a rollout, the stop is handed to that rollout. `None`: the stop is
/// complete. The other steps of stopping a whole app follow once the lock is free.
fn lock_or_take_in(session: &Session, app: &App, which: &Which) -> Result<Option<AppLock>> {
    let mut is_taken_in = false;
    let lock = session.lock_unless(&app.name, || {
        if !is_taken_in && let Some(stopped) = take_in(session, app, which)? {
            told(&app.name, &stopped)?;
            is_taken_in = true;
        }
        Ok(is_taken_in && *which != Which::All)
    })?;
    Ok(lock)
}

/// Hands the stop to a rollout in progress. Returns its result if the rollout has accepted it.
fn take_in(session: &Session, app: &App, which: &Which) -> Result<Option<Stopped>> {
    if !ps_dokku::is_deployed(&session.world, &app.name)? {
        return Ok(None);
    }
    refuse_absent(session, app, which)?;
    let scheduler = ps_schedulers::of(&session.world, &app.name)?;
    let grace = session.world.stop_timeout(&app.name)?;
    let order = StopOrder { app: app.name.clone(), which: which.clone(), grace, remove: false };
    Ok(session.stop(&app.name, |requester| scheduler.stop_beside(&order, requester))?)
}

/// Whether a stop failed before any instance was told to end. If a stop is cancelled, only the waiting ends; the instances
/// continue to end.
pub(crate) fn has_not_begun(ended: &Result<()>) -> bool {
    let error = ended.as_ref().err().and_then(|error| error.downcast_ref::<Error>());
    error.is_some_and(|error| !matches!(error, Error::Cancelled))
}

/// Refuses a type or instance that the app does not have. One that runs or is about to run is accepted: its deploy was
/// killed before it was recorded, or is still in progress.
fn refuse_absent(session: &Session, app: &App, which: &Which) -> Result<()> {
    let Err(refused) = refuse_unknown(session, app, which) else { return Ok(()) };
    let scheduler = ps_schedulers::of(&session.world, &app.name)?;
    if scheduler.is_to_fill(&app.name, which) {
        return Ok(());
    }
    let status = scheduler.status_of(&app.name)?;
    let is_meant = |instance: &Instance| which.includes(&instance.slot) && instance.state != State::Stopped;
    if status.instances.iter().any(is_meant) { Ok(()) } else { Err(refused) }
}

/// Ends instances of an app; an error if one did not end. The caller holds the lock.
pub(crate) fn end(session: &Session, app: &App, which: &Which, remove: bool) -> Result<()> {
    let scheduler = ps_schedulers::of(&session.world, &app.name)?;
    end_via(session, &app.name, scheduler.as_ref(), which, remove)
}

/// [`end`] with a scheduler that may no longer be the app's.
pub(crate) fn end_via(
    session: &Session,
    app: &AppName,
    scheduler: &dyn Scheduler,
    which: &Which,
    remove: bool,
) -> Result<()> {
    let grace = session.world.stop_timeout(app)?;
    let order = StopOrder { app: app.clone(), which: which.clone(), grace, remove };
    let stopped = session.stop(app, |requester| scheduler.stop(&order, requester).map(Some))?;
    told(app, &stopped.unwrap_or_default())
}

/// The error that names the instances that did not end.
pub(crate) fn told(app: &AppName, stopped: &Stopped) -> Result<()> {
    if let Some((slot, why)) = stopped.remaining.first() {
        let others = match stopped.remaining.len() - 1 {
            0 => String::new(),
            n => format!(" (and {n} more)"),
        };
        bail!("{slot} of {app} would not end: {why}{others}");
    }
    Ok(())
}

/// Refuses a type or instance that the app does not have, and an app that was never deployed.
pub(crate) fn refuse_unknown(session: &Session, app: &App, which: &Which) -> Result<()> {
    let world = &session.world;
    if !ps_dokku::is_deployed(world, &app.name)? {
        return Err(Error::NotDeployed { app: app.name.clone() }.into());
    }
    let formation = world.formation(&app.name)?;
    let wanted = formation.wanted();
    let is_there = match which {
        Which::All => true,
        Which::Type(process_type) => formation.effective().contains_key(process_type.as_str()),
        Which::Slot(slot) => wanted.get(slot.process_type.as_str()).is_some_and(|n| slot.index <= n.get()),
    };
    // Only the scheduler knows tasks of app.json, and runs in addition to those of the formation.
    let is_meant = |instance: &Instance| which.includes(&instance.slot);
    if is_there || ps_schedulers::of(world, &app.name)?.status_of(&app.name)?.instances.iter().any(is_meant) {
        return Ok(());
    }
    let present: Vec<String> = wanted.iter().map(|(name, quantity)| format!("{name}={quantity}")).collect();
    Err(Error::NoSuchInstance { app: app.name.clone(), which: which.to_string(), present: present.join(" ") }
        .into())
}
