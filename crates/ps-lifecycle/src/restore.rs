//! `restore`: after a reboot, what was wanted runs again, and only that.

use anyhow::Result;
use formation::Which;
use ps_apps::App;
use ps_cli::exit::{Outcome, Refusal};
use ps_scheduler::Intent;

use crate::args::RestoreArgs;
use crate::each::{self, Subjects};
use crate::session::Session;
use crate::start;

/// Starts what was running before a reboot; apps that were stopped by hand stay stopped
pub(crate) fn run(session: &Session, args: &RestoreArgs) -> Result<Outcome> {
    if args.app.is_none() && !args.all.all {
        return Err(Refusal::usage("name the app, or --all: ps-lifecycle restore (<app>|--all)"));
    }
    let is_meant = |app: &App| {
        Ok(session.world.is_restored(&app.name)? && ps_dokku::is_deployed(&session.world, &app.name)?)
    };
    let subjects = Subjects { verb: "restore", app: args.app.as_deref(), all: &args.all };
    each::app(session, &subjects, is_meant, |app| {
        if is_meant(app)? {
            // Nobody asks for what had finished, was given up or was stopped before.
            return start::start(session, app, &Intent::Converge(Which::All));
        }
        session.fact(&format!("{0} is not to be restored: ps-lifecycle start {0} starts it", app.name))
    })
}
