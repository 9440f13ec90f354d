//! Restores one app of a snapshot. Instances that already match it are not touched.

use anyhow::Result;
use formation::{Slot, Which};
use ps_apps::{App, AppLock, Error, FormationOrigin, SavedApp, StoredFormation};
use ps_scheduler::Intent;

use super::instances;
use crate::session::Session;
use crate::wish::Wish;
use crate::{converge, deploy, journal, stop};

/// Restores an app, with its current environment and properties.
pub(super) fn app(session: &Session, saved: &SavedApp) -> Result<()> {
    let app = session.world.app(&saved.app)?;
    journal::of_verb(&session.world, "snapshot restore", &app.name, || restore(session, &app, saved))
}

fn restore(session: &Session, app: &App, saved: &SavedApp) -> Result<()> {
    let lock = session.lock(&app.name)?;
    let now = session.world.deployed(&app.name)?;
    let is_same_release = now.as_ref().is_some_and(|now| now.is_same_release(&saved.deployed));
    if !saved.wanted {
        return rest(session, &lock, app, saved, is_same_release);
    }
    if !is_same_release {
        deploy::of_record(session, &lock, &app.name, &saved.deployed)?;
    } else if now.is_some_and(|now| now.scale != saved.deployed.scale) {
        write_counts(session, app, saved)?;
    }
    let by_hand = instances::stopped_by_hand(&session.world, &app.name)?;
    let wish = Wish::set(&session.world, &app.name, true)?;
    let started = start(session, &lock, app, saved, &by_hand);
    if started.is_err() {
        wish.put_back();
    }
    started?;
    for slot in saved.stopped.iter().filter(|slot| !by_hand.contains(slot)) {
        stop::end(session, app, &Which::Slot(slot.clone()), false)?;
    }
    session.fact(&format!("{} runs as it was saved", app.name))
}

/// Starts missing instances, including those that were stopped by hand since the snapshot.
fn start(session: &Session, lock: &AppLock, app: &App, saved: &SavedApp, by_hand: &[Slot]) -> Result<()> {
    session.trigger(lock, "pre-start", &[app.name.as_str()])?;
    for slot in by_hand.iter().filter(|slot| !saved.stopped.contains(slot)) {
        converge::carry_out(session, app, &Intent::Start(Which::Slot(slot.clone())))?;
    }
    converge::carry_out(session, app, &Intent::Converge(Which::All))
}

/// Stops an app that was stopped when it was saved; the next start runs the saved release.
fn rest(session: &Session, lock: &AppLock, app: &App, saved: &SavedApp, is_same_release: bool) -> Result<()> {
    if session.world.is_restored(&app.name)? || instances::is_running(session, app)? {
        stop::stop_locked(session, lock, app, &Which::All)?;
    }
    if !is_same_release {
        session.world.record_deploy(&app.name, &saved.deployed)?;
    }
    write_counts(session, app, saved)?;
    session.fact(&format!("{} is stopped, as it was saved", app.name))
}

fn write_counts(session: &Session, app: &App, saved: &SavedApp) -> Result<()> {
    let scale = saved.deployed.scale.clone();
    let source = FormationOrigin::named(&saved.deployed.scale_source).unwrap_or_default();
    let write = |_: &StoredFormation| Ok::<_, Error>(StoredFormation { scale, old: Vec::new() });
    session.world.update_formation_from(&app.name, source, write)?;
    Ok(())
}
