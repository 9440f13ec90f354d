//! `ps:stop`: its scheduler stops the app; that it was stopped on purpose is remembered by a hook of ours.

use anyhow::Result;
use ps_cli::exit::{Outcome, Refusal};

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
    if !question::is_deployed_or_told(world, caller, &held.app)? {
        return Ok(());
    }
    session.step(&format!("Stopping {app}"))?;
    caller.stream("scheduler-stop", &[&world.scheduler_name(&held.app)?, app])?;
    caller.stream("post-stop", &[app])
}

/// Dokku starts and stops whole apps; who names a part of one must not get the whole.
pub(crate) fn refuse_part(verb: &str, args: &TargetArgs) -> Result<()> {
    match &args.which {
        Some(which) => Err(Refusal::failed(format!(
            "ps:{verb} is for whole apps, not for {which}: use ps:scale to change the number of one process"
        ))),
        None => Ok(()),
    }
}
