//! Runs a Node program in several processes, as Node's own module `cluster` would, without Node above them. Which process is started, told
//! to leave or ended is decided by `crew`; who gets a connection by `node_primary`.

mod args;
mod crew;
mod notify;
mod preload;
mod serve;
mod start;

use anyhow::Result;
use clap::Parser;
use ps_cli::exit::Outcome;

use crate::args::Args;

/// The arguments, for man pages and completions.
pub fn command() -> clap::Command {
    <Args as clap::CommandFactory>::command()
}

/// Runs the program.
pub fn run() -> Result<Outcome> {
    let args = Args::try_parse()?;
    serve::run(&args)
}
