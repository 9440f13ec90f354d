//! The arguments of the command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use formation::Stream;
use ps_cli::worlds::{AllWorldsArg, WorldArg};
use ps_output::{Moment, Pattern};

/// Reads, searches and follows the logs of apps.
/// Without an app, the logs of all apps are read. If the last argument is not an app, it is a type or an instance. The lines of several
/// instances are printed in the order in which they were captured. Their times are exact to the second or better.
#[derive(Debug, Parser)]
#[command(name = "ps-logs", version = ps_cli::VERSION, override_usage = "ps-logs [<app>…] [<type>[.<n>]] [OPTIONS]", after_help = AFTER_HELP)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Args {
    /// Apps; the last argument may be a type or an instance of them: web, web.1
    #[arg(value_name = "APP|TYPE[.N]")]
    pub(crate) words: Vec<String>,
    /// Keep running, and print what is written from now on
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// The last N selected lines of each stream [default: 100; all, if a time or a pattern selects them]
    #[arg(short = 'n', long = "num", value_name = "N")]
    pub(crate) lines: Option<usize>,
    /// Only what was written since this time: 5m, 2h or 1d ago, 14:03, or 2026-11-26T14:00:00Z
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) since: Option<Moment>,
    /// Only what was written until this time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) until: Option<Moment>,
    /// Only lines that match this regular expression; can be repeated: one match is enough
    #[arg(short, long, value_name = "RE")]
    pub(crate) grep: Vec<Pattern>,
    /// No lines that match this regular expression; can be repeated
    #[arg(long, value_name = "RE")]
    pub(crate) exclude: Vec<Pattern>,
    /// On a terminal: highlight matches of this regular expression; can be repeated. Matches of --grep are highlighted,
    /// too
    #[arg(long, value_name = "RE")]
    pub(crate) highlight: Vec<Pattern>,
    /// Only one of the streams
    #[arg(long, value_enum)]
    pub(crate) stream: Option<Which>,
    /// Only what an instance wrote before its present run, as after a crash
    #[arg(long, conflicts_with_all = ["follow", "save_cursor", "after_cursor"])]
    pub(crate) previous: bool,
    /// Only what was written since a deploy, until the next one: the number of a release (ps-lifecycle releases), or current
    #[arg(long, value_name = "N|current", conflicts_with_all = ["since", "until", "after_cursor"])]
    pub(crate) deploy: Option<Deploy>,
    /// Times in UTC, and not in the zone of this machine
    #[arg(long)]
    pub(crate) utc: bool,
    /// Only the lines, without time and instance before them
    #[arg(long, conflicts_with = "utc")]
    pub(crate) no_prefix: bool,
    /// One JSON object a line
    #[arg(long, conflicts_with_all = ["raw", "no_prefix", "utc"])]
    pub(crate) json: bool,
    /// The bytes as they were written: no prefix, no colour, and control characters reach the terminal
    #[arg(long, conflicts_with_all = ["no_prefix", "utc"])]
    pub(crate) raw: bool,
    /// Record in this file the position up to which everything was printed
    #[arg(long, value_name = "FILE")]
    pub(crate) save_cursor: Option<PathBuf>,
    /// Only lines after the position in this file; all lines, if the file does not exist
    #[arg(long, value_name = "FILE")]
    pub(crate) after_cursor: Option<PathBuf>,
    /// Print no lines: have the logs go on in new files, and say how many bytes were rotated
    #[arg(long, conflicts_with_all = READING)]
    pub(crate) rotate: bool,
    /// Print no lines: remove what was written until now, and say how many bytes that were
    #[arg(long, conflicts_with_all = READING, conflicts_with = "rotate")]
    pub(crate) flush: bool,
    #[command(flatten)]
    pub(crate) world: WorldArg,
    #[command(flatten)]
    pub(crate) worlds: AllWorldsArg,
}

/// The options for reading, which cannot be combined with rotating or emptying logs.
const READING: [&str; 17] = [
    "follow",
    "lines",
    "since",
    "until",
    "grep",
    "exclude",
    "highlight",
    "stream",
    "previous",
    "deploy",
    "utc",
    "no_prefix",
    "json",
    "raw",
    "save_cursor",
    "after_cursor",
    "all_worlds",
];

const AFTER_HELP: &str = "\
Exit status: 0 done; 1 an app could not be read, or its logs not be rotated or emptied; 2 wrong usage; 20 no such app.

Examples:
  ps-logs shop web -f
  ps-logs --since 14:03 --until 14:05 --grep 'timeout|refused'
  ps-logs shop web.1 --previous -n 50
  ps-logs shop --deploy current --stream err --json | jq -r .line
  ps-logs shop --after-cursor shop.cursor --save-cursor shop.cursor
  ps-logs shop web --flush";

/// One of the two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Which {
    /// Standard output
    #[value(alias = "stdout")]
    Out,
    /// Standard error
    #[value(alias = "stderr")]
    Err,
}

impl From<Which> for Stream {
    fn from(which: Which) -> Self {
        match which {
            Which::Out => Self::Stdout,
            Which::Err => Self::Stderr,
        }
    }
}

/// A deploy, as the user names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deploy {
    /// The last one.
    Current,
    /// The deploy of the release of this number.
    Release(u64),
}

impl std::str::FromStr for Deploy {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "current" => Ok(Self::Current),
            number => number.parse().map(Self::Release).map_err(|_| {
                "the number of a release is wanted, as ps-lifecycle releases has them, or current".to_owned()
            }),
        }
    }
}
