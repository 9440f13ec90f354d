//! `set`: sets the command of a process type.

use anyhow::Result;
use procfile::Placement;
use ps_cli::exit::Outcome;

use crate::flags::Given;
use crate::{edit, files};

pub(crate) fn run(given: &Given) -> Result<Outcome> {
    edit::in_turn(|| once(given))
}

fn once(given: &Given) -> Result<Outcome> {
    let procfile = files::procfile(given)?;
    edit::refuse_two_targets(given)?;
    let name = edit::required(given, "process-type")?;
    edit::required(given, "command")?;
    let command = given.text("command").as_encoded_bytes();
    let placement = if given.on("in-order") { Placement::InOrder } else { Placement::Append };
    let result = if edit::sorts(given, &procfile) {
        procfile.canonical_with(&name, command)?
    } else {
        procfile.set(&name, command, placement)?
    };
    edit::finish(given, &procfile, &result)
}
