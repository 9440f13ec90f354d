//! `restart`: new instances of the same release.

use anyhow::Result;
use formation::Which;
use ps_apps::App;
use ps_cli::exit::Outcome;
use ps_scheduler::Intent;

use crate::args::TargetArgs;
use crate::session::Session;
use crate::{converge, each, stop};

/// Replaces what runs by new instances of the same release
pub(crate) fn run(session: &Session, args: &TargetArgs) -> Result<Outcome> {
    let which = args.which.clone().unwrap_or(Which::All);
    let is_meant = |app: &App| Ok(session.world.is_deployed(&app.name)?);
    each::app(session, (args.app.as_deref(), &args.all), is_meant, |app| restart(session, app, &which))
}

fn restart(session: &Session, app: &App, which: &Which) -> Result<()> {
    let lock = session.lock(&app.name)?;
    stop::refuse_unknown(session, app, which)?;
    session.step(&format!("Restarting {}", app.name))?;
    session.trigger(&lock, "pre-start", &[app.name.as_str()])?;
    converge::carry_out(session, app, &Intent::Restart(which.clone()))
}
