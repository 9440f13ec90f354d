//! What every app is and how it is doing.

use anyhow::Result;
use ps_cli::exit::Outcome;

/// Runs the program.
pub fn run() -> Result<Outcome> {
    Ok(Outcome::Done)
}
