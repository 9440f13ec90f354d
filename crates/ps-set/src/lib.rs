//! Read and change ps properties.

use anyhow::Result;
use ps_cli::exit::Outcome;

/// Runs the program.
pub fn run() -> Result<Outcome> {
    Ok(Outcome::Done)
}
