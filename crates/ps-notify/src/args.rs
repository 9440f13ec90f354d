//! The arguments of the command line.

use clap::Parser;

/// Tells hooks and a webhook what happened to an app, and ends.
///
/// The supervisor of an app and the verbs that deploy it run this by themselves. It tells of what came into the app's journal since it last did.
#[derive(Debug, Parser)]
#[command(name = "ps-notify", version = ps_cli::VERSION, after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The app
    #[arg(value_name = "APP")]
    pub(crate) app: String,
    /// Tell nothing but that alerts arrive, at once, and say whether they do
    #[arg(long)]
    pub(crate) test: bool,
}

const AFTER_HELP: &str = "\
Exit status: 0 done; 1 failed, with --test also where somebody could not be told; 2 wrong usage; 20 no such app.

Examples:
  ps-set shop webhook - < address.txt     where alerts of shop are sent to
  ps-notify shop --test                   whether they arrive";
