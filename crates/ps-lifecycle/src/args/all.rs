//! Options of every verb that can be applied to all apps.

use ps_cli::exit::Refusal;

use super::TellingArgs;

#[derive(Debug, clap::Args)]
pub(crate) struct AllArgs {
    /// Every app
    #[arg(long, conflicts_with = "app")]
    pub(crate) all: bool,
    /// How many apps at a time; -1: one per CPU [default: 1; restore: all together]
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = parallel)]
    parallel: Option<i32>,
    /// With --all: one JSON object for each app, and nothing else on stdout
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) telling: TellingArgs,
}

impl AllArgs {
    /// Refuses a wrong combination of --json with other options.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if self.json && !self.all {
            return Err(Refusal::usage("--json goes with --all"));
        }
        if self.json && self.telling.is_json() {
            return Err(Refusal::usage(
                "--json is a line for each app, --format json a line for each event: choose one",
            ));
        }
        Ok(())
    }

    /// How many apps at a time; `usual` if the option was not given.
    pub(crate) fn parallel_or(&self, usual: i32) -> i32 {
        self.parallel.unwrap_or(usual)
    }
}

/// The refusal of an invalid number of apps at a time, in Dokku's words.
#[derive(Debug, thiserror::Error)]
#[error("Invalid value {0} for --parallel flag")]
pub(crate) struct InvalidParallel(i64);

pub(super) fn parallel(word: &str) -> Result<i32, Box<dyn std::error::Error + Send + Sync>> {
    match word.parse()? {
        number @ -1..=1000 => Ok(i32::try_from(number)?),
        number => Err(InvalidParallel(number).into()),
    }
}
