//! `delete`: removes one process type from a Procfile.

use anyhow::Result;
use ps_cli::exit::Outcome;

use crate::flags::Given;
use crate::{edit, exists, files, talk};

pub(crate) fn run(given: &Given) -> Result<Outcome> {
    edit::in_turn(|| once(given))
}

fn once(given: &Given) -> Result<Outcome> {
    let procfile = files::procfile(given)?;
    edit::refuse_two_targets(given)?;
    let name = edit::required(given, "process-type")?;
    if procfile.get(&name).is_none() {
        talk::hint(&exists::missing(&procfile, &name));
    }
    let result = if edit::sorts(given, &procfile) {
        procfile.canonical_without(&name)
    } else {
        procfile.delete(&name)
    };
    edit::finish(given, &procfile, &result)
}
