//! `rebuild`: a new release from the source of the last deploy, read anew.

use anyhow::Result;
use ps_apps::App;
use ps_cli::exit::Outcome;

use crate::args::AppsArgs;
use crate::session::Session;
use crate::{deploy, each};

/// Deploys the source of the last deploy again
pub(crate) fn run(session: &Session, args: &AppsArgs) -> Result<Outcome> {
    let is_meant = |app: &App| Ok(session.world.is_deployed(&app.name)?);
    each::app(session, (args.app.as_deref(), &args.all), is_meant, |app| deploy::again(session, &app.name))
}
