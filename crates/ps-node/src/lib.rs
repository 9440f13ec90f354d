//! Runs a Node program in several processes, as Node's own module `cluster` does, but without a primary process that
//! runs Node. `crew` decides which process is started, told to leave or ended; `node_primary` decides which process
//! gets a connection. With `--share` there is one process (`single`), and other `ps-node` programs listen on the same
//! ports; with `--own-ports` there is one that listens by itself.

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
    if args.share.is_some() || args.own_ports { single::run(&args) } else { serve::run(&args) }
}
