//! `version`: the number, alone on its line.

use anyhow::Result;
use ps_cli::exit::Outcome;

use crate::flags::Given;
use crate::output;

/// The version of this program.
pub(crate) const NUMBER: &str = env!("CARGO_PKG_VERSION");

pub(crate) fn run(_: &Given) -> Result<Outcome> {
    output::print(format!("{NUMBER}\n").as_bytes())
}
