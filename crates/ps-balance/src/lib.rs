//! The load balancer of one address: it accepts connections of clients, and hands each to a ready instance. It is one
//! process with one thread. `balance::Table` chooses the instance.

mod accept;
mod args;
mod arrival;
mod balancer;
mod begin;
mod carried;
mod claim;
mod clock;
mod connection;
mod control;
mod counted;
mod dial;
mod direction;
mod exchange;
mod handover;
mod handshake;
mod http;
mod identity;
mod limits;
mod listen;
mod manner;
mod pipes;
mod reach;
mod readable;
mod requests;
mod resume;
mod search;
mod serve;
mod talk;
mod terminate;
mod tls;
mod upgrade;
mod work;

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
    if let Some(format) = args.understands {
        return Ok(if format == handover::FORMAT { Outcome::Done } else { Outcome::No });
    }
    // The environment is changed here, while this is the only thread.
    let inherited = listen::inherited()?;
    args.check(&inherited)?;
    serve::run(&args, inherited)
}
