//! `fmt`: lays a Procfile out evenly.

use anyhow::Result;
use ps_cli::exit::Outcome;

use crate::flags::Given;
use crate::{edit, files};

pub(crate) fn run(given: &Given) -> Result<Outcome> {
    edit::in_turn(|| once(given))
}

fn once(given: &Given) -> Result<Outcome> {
    let procfile = files::procfile(given)?;
    edit::refuse_two_targets(given)?;
    edit::finish(given, &procfile, &procfile.tidy())
}
