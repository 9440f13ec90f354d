//! `ps:restart`: deploys the present image again, for all process types or one.

use anyhow::Result;
use formation::{AppName, Which};
use ps_apps::World;
use ps_cli::exit::{Outcome, Refusal};
use ps_dokku::{Caller, order};
use ps_scheduler::Error;

use super::all::{self, Subjects};
use super::hold::Held;
use super::question;
use crate::args::TargetArgs;
use crate::session::Session;

pub(crate) fn run(session: &Session, args: &TargetArgs) -> Result<Outcome> {
    let subjects = Subjects { verb: "restart", app: args.app.as_deref(), all: &args.all };
    all::each(session, &subjects, |app| restart(session, &Held::whole(session, app)?, args.which.as_ref()))
}

fn restart(session: &Session, held: &Held, which: Option<&Which>) -> Result<()> {
    let (caller, app) = (&held.caller, held.app.as_str());
    if !question::is_deployed_or_told(&session.world, &held.app)? {
        return Ok(());
    }
    let process_type = which.map(|which| known(session, &held.app, which)).transpose()?;
    let tag = caller.image_tag(app)?;
    Ok(caller.make(&order::deploy(app, &tag, process_type.as_deref()))?)
}

/// The process type that the argument names; any other word is refused. For a type that the app does not have, Dokku would
/// run a whole deploy and replace nothing, and for a single instance (`web.1`) it would end the container.
fn known(session: &Session, app: &AppName, which: &Which) -> Result<String> {
    match which {
        Which::Slot(slot) => Err(Refusal::failed(format!(
            "{slot} cannot be restarted alone: Dokku deploys whole process types, use ps:restart {app} {}",
            slot.process_type
        ))),
        Which::All | Which::Type(_) => {
            let process_type = which.to_string();
            refuse_unknown(session, app, &process_type)?;
            Ok(process_type)
        }
    }
}

/// The same for the trigger `app-restart`, with which another plugin asks for a restart.
pub(crate) fn for_plugin(world: &World, caller: &Caller, app: &AppName) -> Result<()> {
    if question::is_deployed_or_told(world, app)? {
        let tag = caller.image_tag(app.as_str())?;
        caller.make(&order::deploy(app.as_str(), &tag, None))?;
    }
    Ok(())
}

fn refuse_unknown(session: &Session, app: &AppName, process_type: &str) -> Result<()> {
    let world = &session.world;
    let formation = world.formation(app)?;
    let counts = formation.effective();
    let is_in_procfile = world.known_types(app)?.is_some_and(|types| types.contains(process_type));
    if is_in_procfile || counts.contains_key(process_type) {
        return Ok(());
    }
    let present: Vec<String> = counts.iter().map(|(name, count)| format!("{name}={count}")).collect();
    let which = process_type.to_owned();
    Err(Error::NoSuchInstance { app: app.clone(), which, present: present.join(" ") }.into())
}
