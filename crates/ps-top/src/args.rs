//! The arguments of the command line.

use clap::Parser;

/// Shows apps, their instances, what they write and what happens to them, live, in a terminal.
///
/// It only reads, until a key asks for more; what would be done is shown then, with the command line that does the same, and asked for.
/// The mouse stays the terminal's, so text can be selected.
#[derive(Debug, Parser)]
#[command(name = "ps-top", version = ps_cli::VERSION, after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// These apps alone
    #[arg(value_name = "APP")]
    pub(crate) apps: Vec<String>,
    /// No screen: a line for each instance, and one for each change that comes, in words. So it is where stdout is no terminal, or TERM is dumb
    #[arg(long)]
    pub(crate) plain: bool,
    /// Draw with ASCII alone; so it is where the locale is not UTF-8
    #[arg(long)]
    pub(crate) ascii: bool,
}

const AFTER_HELP: &str = "\
Keys: up down choose, Enter details, l logs, e events, / filter, f follow, w wrap, s start, x stop, r restart, + - scale, : command,
? all keys, q quit.

Environment: NO_COLOR no colours.

Exit status: 0 left with q, or whoever read the lines is gone; 1 failed; 2 wrong usage; 20 no such app; 128 + n ended by signal n.

Examples:
  ps-top
  ps-top shop
  ps-top --plain | grep crashed";
