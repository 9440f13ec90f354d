//! The web page of all apps, the same as JSON, and metrics, by HTTP.
//!
//! One task asks the schedulers (`collect`), if an app has changed (`told`) or was not looked at for a long time, and only while a client is
//! connected. Requests are answered from the last result. Each request is checked first (`guard`). For changes, logs and explanations, other
//! programs of the installation are run.

mod access;
mod api;
mod args;
mod balanced;
mod changes;
mod client;
mod collect;
mod deploys;
mod events;
mod failed;
mod guard;
mod labels;
mod listen;
mod metrics;
mod openapi;
mod orders;
mod page;
mod pm2;
mod ring;
mod round;
mod router;
mod sample;
mod samples;
mod serve;
mod server;
mod sister;
mod snapshot;
mod textfile;
mod told;

use anyhow::Result;
use clap::Parser;
use ps_apps::World;
use ps_cli::exit::Outcome;

use crate::args::Args;

/// The command line as clap knows it, for man pages and completions.
pub fn command() -> clap::Command {
    <Args as clap::CommandFactory>::command()
}

/// Runs the program with the arguments and the environment of this process.
pub fn run() -> Result<Outcome> {
    let args = Args::try_parse()?;
    args.check()?;
    let world = World::from_env()?;
    match &args.textfile {
        Some(directory) => textfile::write(&world, directory),
        None => serve::run(&args, world),
    }
}
