//! `ps:stop`: has the app's scheduler stop it. Our hook for the trigger `post-stop` then records that the app was
//! stopped on purpose, so that a restore leaves it alone.

use anyhow::Result;
use ps_cli::exit::{Outcome, Refusal};
use ps_dokku::order;

use super::all::{self, Subjects};
use super::hold::Held;
use super::question;
use crate::args::TargetArgs;
use crate::session::Session;

pub(crate) fn run(session: &Session, args: &TargetArgs) -> Result<Outcome> {
    refuse_part("stop", args)?;
    let subjects = Subjects { verb: "stop", app: args.app.as_deref(), all: &args.all };
    all::each(session, &subjects, |app| stop(session, &Held::whole(session, app)?))
}

fn stop(session: &Session, held: &Held) -> Result<()> {
    let (world, caller, app) = (&session.world, &held.caller, held.app.as_str());
    if !question::is_deployed_or_told(world, &held.app)? {
        return Ok(());
    }
    session.step(&format!("Stopping {app}"))?;
    Ok(caller.make(&order::stop(world.scheduler_name(&held.app)?.as_str(), app))?)
}

/// Refuses a process type or instance after the app's name: Dokku stops and starts only whole apps, and would stop all of it.
pub(crate) fn refuse_part(verb: &str, args: &TargetArgs) -> Result<()> {
    match &args.which {
        Some(which) => Err(Refusal::failed(format!(
            "ps:{verb} is for whole apps, not for {which}: use ps:scale to change the number of one process"
        ))),
        None => Ok(()),
    }
}
