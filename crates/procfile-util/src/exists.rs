//! `exists`: is there such a process type? The answer is the exit status.

use anyhow::{Result, bail};
use ps_cli::exit::Outcome;

use crate::flags::Given;
use crate::{edit, files};

/// What is said where a process type is not there.
pub(crate) const NOT_FOUND: &str = "No matching process entry found";

pub(crate) fn run(given: &Given) -> Result<Outcome> {
    let procfile = files::procfile(given)?;
    let name = edit::required(given, "process-type")?;
    if procfile.get(&name).is_none() {
        bail!(NOT_FOUND);
    }
    Ok(Outcome::Done)
}
