//! `restart`: new instances of the same release.

use anyhow::Result;
use formation::Which;
use ps_apps::App;
use ps_cli::exit::Outcome;
use ps_scheduler::Intent;

use crate::args::RestartArgs;
use crate::each::{self, Subjects};
use crate::session::Session;
use crate::start;

/// Replaces what runs by new instances of the same release
pub(crate) fn run(session: &Session, args: &RestartArgs) -> Result<Outcome> {
    let args = &args.target;
    let which = args.which.clone().unwrap_or(Which::All);
    let is_meant = |app: &App| Ok(ps_dokku::is_deployed(&session.world, &app.name)?);
    let intent = Intent::Restart(which);
    let subjects = Subjects { verb: "restart", app: args.app.as_deref(), all: &args.all };
    each::app(session, &subjects, is_meant, |app| {
        session.required.check(&session.world, &app.name, None)?;
        start::start(session, app, &intent)
    })
}
