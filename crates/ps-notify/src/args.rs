//! The arguments of the command line.

use clap::Parser;

/// Sends alerts about an app to its webhook and to hooks, and ends.
/// The supervisor of an app, and the verbs that deploy it, run this by themselves. It sends alerts about the entries
/// that were added to the app's journal since its last run.
#[derive(Debug, Parser)]
#[command(name = "ps-notify", version = ps_cli::VERSION, after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The app
    #[arg(value_name = "APP")]
    pub(crate) app: String,
    /// Send a test alert at once, and say whether it arrived
    #[arg(long)]
    pub(crate) test: bool,
}

const AFTER_HELP: &str = "\
Exit status: 0 done; 1 failed, with --test also where somebody could not be told; 2 wrong usage; 20 no such app.

Examples:
  ps-set shop webhook - < address.txt     where alerts of shop are sent to
  ps-notify shop --test                   whether they arrive";
