//! Runs a Node program in several processes, as Node's own module `cluster` does, but without a primary process that
//! runs Node. `crew` decides which process is started, told to leave or ended; `node_primary` decides which process
//! gets a connection. With `--share` there is one process (`single`), and other `ps-node` programs listen on the same
//! ports.

mod args;
mod crew;
mod notify;
mod preload;
mod serve;
mod signals;
mod single;
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
    args.check()?;
    match &args.share {
        Some(directory) => single::run(&args, directory),
        None => serve::run(&args),
    }
}
