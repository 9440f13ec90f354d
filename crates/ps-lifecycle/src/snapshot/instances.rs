//! The facts about an app's instances that a snapshot needs.

use anyhow::Result;
use formation::{AppName, Slot, State};
use ps_apps::{App, World};
use ps_scheduler::Over;

use crate::converge;
use crate::session::Session;

/// The slots that were stopped by hand.
pub(super) fn stopped_by_hand(world: &World, app: &AppName) -> Result<Vec<Slot>> {
    let status = ps_schedulers::of(world, app)?.status_of(app)?;
    let by_hand = status.instances.into_iter().filter(|instance| instance.over == Some(Over::StoppedByHand));
    Ok(by_hand.map(|instance| instance.slot).collect())
}

/// Whether any instance of an app runs or is being started.
pub(super) fn is_running(session: &Session, app: &App) -> Result<bool> {
    let status = converge::status(session, app)?;
    Ok(status.instances.iter().any(|instance| !matches!(instance.state, State::Stopped | State::Crashed)))
}
