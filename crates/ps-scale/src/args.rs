//! The command line of `ps-scale`. Nothing is read or changed here.

use clap::{Parser, ValueEnum};
use ps_cli::worlds::WorldArg;

use crate::format::Format;

const EXAMPLES: &str = "\
Examples:
  ps-scale hello                       print the formation
  ps-scale hello web=2 worker=1        change it, and make the instances match
  ps-scale hello web+=1 --skip-deploy  only store it
  ps-scale hello --json | jq '.[].quantity'

Exit status: 0 done, 1 refused or failed, 2 wrong usage, 20 no such app, 75 the app is being changed: try again.";

/// Reads and changes how many instances of each process type an app has.
#[derive(Debug, Parser)]
#[command(name = "ps-scale", version = ps_cli::VERSION, after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub(crate) struct Args {
    /// The app
    pub(crate) app: Option<String>,

    /// New counts: <type>=<n>, <type>+=<n>, <type>-=<n> or <type>=max (one per CPU); 0 to 10000
    #[arg(value_name = "TYPE=COUNT")]
    pub(crate) counts: Vec<String>,

    /// Only store the formation; start and stop nothing
    #[arg(long, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(
        default_value = "false",
        hide_default_value = true,
        hide_possible_values = true,
        value_name = "true|false"
    )]
    pub(crate) skip_deploy: bool,

    /// The named types are the whole formation: all others become 0
    #[arg(long)]
    pub(crate) replace: bool,

    /// Go back to the formation of a new app: web=1
    #[arg(long)]
    pub(crate) clear: bool,

    /// Change nothing; print what would happen to each instance (without counts: if the stored formation were applied)
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// How to print the formation (with a change: the new one, unless as text); events: what happens, an object a line
    #[arg(long, value_enum, default_value = "text")]
    format: Format,

    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,

    /// Print rows only, and no messages about a change
    #[arg(long)]
    pub(crate) quiet: bool,

    /// zero-failed: exit status 1 if a connection to the app's address has failed while its instances were changed
    #[arg(long, value_enum, value_name = "zero-failed", hide_possible_values = true)]
    pub(crate) require: Option<Requirement>,

    /// How long to wait while another program changes the app; 0: do not wait
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(..=86_400))]
    pub(crate) wait: u64,

    #[command(flatten)]
    pub(crate) world: WorldArg,

    /// Answer a trigger of Dokku; its arguments follow (see the manual)
    #[arg(long, value_name = "TRIGGER", hide_short_help = true)]
    pub(crate) from_trigger: Option<String>,
}

/// The condition of `--require`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Requirement {
    /// No connection was refused, cut or lost.
    ZeroFailed,
}

impl Args {
    pub(crate) fn format(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }

    /// Whether the formation is to be changed rather than printed.
    pub(crate) fn is_change(&self) -> bool {
        self.clear || !self.counts.is_empty()
    }
}
