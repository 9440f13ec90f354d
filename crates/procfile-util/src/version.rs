//! `version`: prints the version number in a line of its own.

use anyhow::Result;
use ps_cli::exit::Outcome;

use crate::flags::Given;
use crate::output;

/// The version of this program.
pub(crate) const NUMBER: &str = env!("CARGO_PKG_VERSION");

pub(crate) fn run(_: &Given) -> Result<Outcome> {
    output::print(format!("{NUMBER}\n").as_bytes())
}
