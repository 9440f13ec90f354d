//! The arguments of the command line.

use clap::Parser;
use ps_cli::worlds::WorldArg;

/// Shows apps, their instances, logs and events live in a terminal.
/// It only reads, unless you press a key that changes something: then it shows the command line that it will run, and asks for confirmation.
/// It does not capture the mouse, so text can be selected.
#[derive(Debug, Parser)]
#[command(name = "ps-top", version = ps_cli::VERSION, after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Show only these apps
    #[arg(value_name = "APP")]
    pub(crate) apps: Vec<String>,
    /// Print plain text: a line for each instance, and one for each change. The default if stdout is not a terminal, or
    /// TERM is dumb
    #[arg(long)]
    pub(crate) plain: bool,
    /// Draw with ASCII characters only; the default if the locale is not UTF-8
    #[arg(long)]
    pub(crate) ascii: bool,
    #[command(flatten)]
    pub(crate) world: WorldArg,
}

const AFTER_HELP: &str = "\
Keys: up down choose, Enter details, l logs, e events, / filter, f follow, w wrap, s start, x stop,
r restart, + - scale, : command, ? all keys, q quit.

Environment: NO_COLOR no colours.

Exit status: 0 left with q, or whoever read the lines is gone; 1 failed; 2 wrong usage; 20 no such app; 128 + n ended by signal n.

Examples:
  ps-top
  ps-top shop
  ps-top --plain | grep crashed";
