//! The arguments of `status`.

use std::time::Duration;

use formation::State;
use ps_cli::Format;
use ps_cli::worlds::AllWorldsArg;
use ps_output::Moment;

use crate::status::Column;

#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    /// The apps; without names, all. Behind the name of one app, a type or an instance of it: shop web, shop web.1
    pub(crate) apps: Vec<String>,
    /// All apps, as without names
    #[arg(long, conflicts_with = "apps")]
    pub(crate) all: bool,
    /// Only instances in these states: crashed,backoff
    #[arg(long = "state", value_name = "STATE", value_delimiter = ',', value_parser = state)]
    pub(crate) states: Vec<State>,
    /// The status at this time, from the journals of the apps: 5m or -2h ago, 14:03, or 2026-11-26T14:00:00Z
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, conflicts_with = "watch")]
    pub(crate) at: Option<Moment>,
    /// How the rows are printed; JSON is one object a line
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    #[command(flatten)]
    pub(crate) table: TableArgs,
    #[command(flatten)]
    pub(crate) worlds: AllWorldsArg,
}

// What the table shows, and how often.
#[derive(Debug, clap::Args)]
pub(crate) struct TableArgs {
    /// Only the names, an app and an instance a line: shop web.1
    #[arg(short = 'q', long, conflicts_with_all = ["json", "format", "columns", "wide"])]
    pub(crate) names: bool,
    /// Which columns the table has, in this order: app,process,state
    #[arg(long, value_name = "COLUMN", value_enum, value_delimiter = ',', conflicts_with_all = ["json", "format", "wide"])]
    pub(crate) columns: Vec<Column>,
    /// All columns, however wide the terminal is
    #[arg(long, conflicts_with_all = ["json", "format"])]
    pub(crate) wide: bool,
    /// Print it again every second, or every so many seconds, until Ctrl-C
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "1",
        value_parser = clap::value_parser!(u32).range(1..),
        conflicts_with_all = ["json", "format"]
    )]
    watch: Option<u32>,
}

impl StatusArgs {
    /// How the rows are printed.
    pub(crate) fn format(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }

    /// The pause before the next table, if one follows.
    pub(crate) fn pause(&self) -> Option<Duration> {
        self.table.watch.map(|seconds| Duration::from_secs(u64::from(seconds)))
    }
}

fn state(word: &str) -> Result<State, String> {
    State::ALL.into_iter().find(|state| state.as_str() == word).ok_or_else(|| {
        let all: Vec<&str> = State::ALL.into_iter().map(State::as_str).collect();
        format!("the states are {}", all.join(", "))
    })
}
