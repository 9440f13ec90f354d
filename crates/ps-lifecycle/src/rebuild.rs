//! `rebuild`: a new release from the source of the last deploy, which is read again.

use anyhow::Result;
use ps_apps::App;
use ps_cli::exit::Outcome;

use crate::args::AppsArgs;
use crate::deploy;
use crate::each::{self, Subjects};
use crate::session::Session;

/// Deploys the source of the last deploy again
pub(crate) fn run(session: &Session, args: &AppsArgs) -> Result<Outcome> {
    let is_meant = |app: &App| Ok(ps_dokku::is_deployed(&session.world, &app.name)?);
    let subjects = Subjects { verb: "rebuild", app: args.app.as_deref(), all: &args.all };
    each::app(session, &subjects, is_meant, |app| deploy::again(session, &app.name))
}
