//! `exists`: whether the Procfile has a process type. The exit status is the answer.

use anyhow::Result;
use procfile::Procfile;
use ps_cli::exit::Outcome;

use crate::flags::Given;
use crate::talk::Failure;
use crate::{edit, files, near};

/// The message for a process type that does not exist.
pub(crate) const NOT_FOUND: &str = "No matching process entry found";

pub(crate) fn run(given: &Given) -> Result<Outcome> {
    let procfile = files::procfile(given)?;
    let name = edit::required(given, "process-type")?;
    match procfile.get(&name) {
        Some(_) => Ok(Outcome::Done),
        None => Err(Failure::with_way_out(NOT_FOUND, missing(&procfile, &name))),
    }
}

/// A hint for a process type that does not exist: the name that was probably meant, or the names that exist.
pub(crate) fn missing(procfile: &Procfile, name: &str) -> String {
    let names = || procfile.sorted().map(|entry| entry.name);
    match near::nearest(name, names()) {
        Some(meant) => format!("there is no {name}: did you mean {meant}?"),
        None if names().len() > 20 => format!("there is no {name}: list names those that are there"),
        None => format!("there is no {name}, but {}", names().collect::<Vec<_>>().join(", ")),
    }
}
