//! `ps:rebuild`: a new release from the app's repository. The trigger takes the lock of the deploy itself.

use anyhow::Result;
use ps_cli::exit::Outcome;

use super::all::{self, Subjects};
use super::hold::Held;
use crate::args::AppsArgs;
use crate::session::Session;

pub(crate) fn run(session: &Session, args: &AppsArgs) -> Result<Outcome> {
    let subjects = Subjects { verb: "rebuild", app: args.app.as_deref(), all: &args.all };
    all::each(session, &subjects, |app| {
        let held = Held::but_for_the_deploy(session, app)?;
        Ok(held.caller.build(app.as_str())?)
    })
}
