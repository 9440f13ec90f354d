//! `exists`: is there such a process type? The answer is the exit status.

use anyhow::Result;
use procfile::Procfile;
use ps_cli::exit::Outcome;

use crate::flags::Given;
use crate::talk::Failure;
use crate::{edit, files, near};

/// What is said where a process type is not there.
pub(crate) const NOT_FOUND: &str = "No matching process entry found";

pub(crate) fn run(given: &Given) -> Result<Outcome> {
    let procfile = files::procfile(given)?;
    let name = edit::required(given, "process-type")?;
    match procfile.get(&name) {
        Some(_) => Ok(Outcome::Done),
        None => Err(Failure::with_way_out(NOT_FOUND, missing(&procfile, &name))),
    }
}

/// What is there instead of a process type that is not.
pub(crate) fn missing(procfile: &Procfile, name: &str) -> String {
    let names = || procfile.sorted().map(|entry| entry.name);
    match near::nearest(name, names()) {
        Some(meant) => format!("there is no {name}: did you mean {meant}?"),
        None if names().len() > 20 => format!("there is no {name}: list names those that are there"),
        None => format!("there is no {name}, but {}", names().collect::<Vec<_>>().join(", ")),
    }
}
