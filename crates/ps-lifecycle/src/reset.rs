//! `reset`: clears the counters of restarts. Running instances go on.

use anyhow::Result;
use formation::Which;
use ps_apps::App;
use ps_cli::exit::Outcome;

use crate::args::TargetArgs;
use crate::each::{self, Subjects};
use crate::session::Session;
use crate::stop;

pub(crate) fn run(session: &Session, args: &TargetArgs) -> Result<Outcome> {
    let which = args.which.clone().unwrap_or(Which::All);
    let is_meant = |app: &App| Ok(ps_dokku::is_deployed(&session.world, &app.name)?);
    let subjects = Subjects { verb: "reset", app: args.app.as_deref(), all: &args.all };
    each::app(session, &subjects, is_meant, |app| reset(session, app, &which))
}

fn reset(session: &Session, app: &App, which: &Which) -> Result<()> {
    let _lock = session.lock(&app.name)?;
    stop::refuse_unknown(session, app, which)?;
    ps_schedulers::of(&session.world, &app.name)?.reset(&app.name, which)?;
    session.fact(&format!("The restarts of {} are counted from 0 again", app.name))
}
