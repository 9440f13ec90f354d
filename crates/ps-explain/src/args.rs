//! The arguments of the command line.

use clap::Parser;
use formation::Which;
use ps_cli::worlds::{AllWorldsArg, WorldArg};
use ps_output::Moment;

/// Says why an app, or an instance of it, is down, restarting, slow to start, or not deployed.
/// The answer begins with the most likely cause and ends with what to do. Each sentence has its evidence in brackets. Without evidence
/// for a cause, the answer is "unknown". It only reads.
#[derive(Debug, Parser)]
#[command(name = "ps-explain", version = ps_cli::VERSION, override_usage = "ps-explain <app> [<type>[.<n>]] [OPTIONS]", after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The app
    pub(crate) app: String,
    /// A type or an instance of it: web, web.1
    #[arg(value_name = "TYPE[.N]")]
    pub(crate) which: Option<Which>,
    /// The state at this time, from the app's journal: 5m or -2h ago, 14:03, or 2026-11-26T14:00:00Z
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) at: Option<Moment>,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) world: WorldArg,
    #[command(flatten)]
    pub(crate) worlds: AllWorldsArg,
}

const AFTER_HELP: &str = "\
Exit status: 0 explained, also where the cause is unknown or the app is well; 1 the app's files
could not be read; 2 wrong usage; 20 no such app.

Examples:
  ps-explain shop
  ps-explain shop web.1
  ps-explain shop --at 14:03
  ps-explain shop --json | jq -r .cause";
