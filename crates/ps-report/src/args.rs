//! The arguments of the command line. Every long option that is not one of our own is taken for an info flag, as in
//! Dokku (docs/programs/ps-report.md#values). A fixed list is not possible, because the names of some depend on the
//! running instances, such as `--status-web.1`.

use std::ffi::OsString;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use ps_cli::worlds::{AllWorldsArg, WorldArg};

const OPTIONS: &[&str] =
    &["--columns", "--format", "--global", "--help", "--json", "--quiet", "--version", "--watch"];
/// Dokku's own ps:report does not have these options, so inside Dokku they are info flags that do not exist.
const SETTINGS: &str = "--settings";
const WORLD: &str = "--world";
const ALL_WORLDS: &str = "--all-worlds";

/// Shows the properties of every app, and whether it is running.
///
/// Without an app it reports on all of them. With an info flag it prints only that value, one line for each app.
#[derive(Debug, Parser)]
#[command(
    name = "ps-report",
    version = ps_cli::VERSION,
    override_usage = "ps-report [<app>…] [--global] [--format text|json|jsonl|csv] [--<info-flag> | --settings]",
    after_help = AFTER_HELP
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Args {
    /// The apps to report on; without names, all
    #[arg(value_name = "APP")]
    pub(crate) apps: Vec<String>,
    /// Report the values for every app that has no value of its own
    #[arg(long)]
    pub(crate) global: bool,
    /// text (or stdout), json (one object a line), jsonl (the same, always with the key "app") or csv
    #[arg(long, value_name = "FORMAT", allow_hyphen_values = true, overrides_with = "format")]
    pub(crate) format: Option<String>,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,
    /// With --format csv: print these columns, in this order
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) columns: Option<Vec<String>>,
    /// Repeat the report: redraw it on a terminal, write JSON lines into a pipe
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "2",
        value_parser = seconds
    )]
    pub(crate) watch: Option<Duration>,
    /// In place of the report, print the settings of each process type and where they were set
    #[arg(long)]
    pub(crate) settings: bool,
    /// Print no headers
    #[arg(long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) world: WorldArg,
    #[command(flatten)]
    pub(crate) worlds: AllWorldsArg,
    /// The info flag whose value is printed instead of the report, if one was given.
    #[arg(skip)]
    pub(crate) info_flags: Vec<String>,
}

const AFTER_HELP: &str = "\
Info flags:
  --deployed --listen --processes --restore --running --status-<type>.<n> --ps-can-scale
  --ps-{,computed-}{start-cmd,dockerfile-start-cmd}
  --ps-{,computed-,global-}{procfile-path,restart-policy,skip-deploy,stop-timeout-seconds}

Exit status: 0 every value is known; 1 a value is unknown, or a row could not be read; 2 wrong usage; 20 no such app.

Examples:
  ps-report blog --running
  ps-report --json | jq -r 'select(.running != \"true\").app'
  ps-report --format csv --columns app,running,status
  ps-report blog --settings
  ps-report --all-worlds --json";

impl Args {
    /// Reads the arguments, of which the first is the program's name. The error for `--help`, `--version` and wrong
    /// usage is clap's.
    pub(crate) fn from_words(words: Vec<OsString>) -> Result<Self> {
        let (ours, info_flags) = split(words);
        Ok(Self { info_flags, ..Self::try_parse_from(ours)? })
    }

    /// The arguments as they are interpreted inside Dokku.
    pub(crate) fn into_those_of_dokku(mut self) -> Self {
        let flags = [
            (SETTINGS, std::mem::take(&mut self.settings)),
            (WORLD, std::mem::take(&mut self.world).is_given()),
            (ALL_WORLDS, std::mem::take(&mut self.worlds).is_given()),
        ];
        self.info_flags
            .extend(flags.iter().filter(|(_, is_given)| *is_given).map(|(name, _)| (*name).to_owned()));
        self
    }
}

/// Separates the info flags from the other arguments. The argument after a `--format` without `=` is its value,
/// whatever it looks like.
fn split(words: Vec<OsString>) -> (Vec<OsString>, Vec<String>) {
    let (mut ours, mut info_flags) = (Vec::new(), Vec::new());
    let mut is_value = false;
    let mut options_ended = false;
    for word in words {
        let text = word.to_string_lossy();
        let name = text.split('=').next().unwrap_or_default();
        let is_ours = OPTIONS.contains(&name) || text == SETTINGS || text == ALL_WORLDS || name == WORLD;
        let is_info = !is_value && !options_ended && text.starts_with("--") && !is_ours;
        options_ended |= !is_value && text == "--";
        if is_info && text != "--" {
            info_flags.push(text.into_owned());
            continue;
        }
        is_value = !is_value && matches!(&*text, "--format" | "--columns" | WORLD);
        ours.push(word);
    }
    (ours, info_flags)
}

fn seconds(word: &str) -> Result<Duration, String> {
    let number: f64 = word.parse().map_err(|_| "a number of seconds is wanted, for example 2".to_owned())?;
    if (0.1..=86_400.0).contains(&number) {
        Ok(Duration::from_secs_f64(number))
    } else {
        Err("from 0.1 s to one day".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Args> {
        Args::from_words(
            std::iter::once("ps-report").chain(words.iter().copied()).map(OsString::from).collect(),
        )
    }

    #[test]
    fn unknown_long_options_are_info_flags_wherever_they_stand() {
        let args = parse(&["--status-web.1", "demo", "--format", "--json", "--running"]).expect("legal");
        assert_eq!(args.info_flags, ["--status-web.1", "--running"]);
        assert_eq!((args.format.as_deref(), args.json), (Some("--json"), false));
        assert_eq!(args.apps, ["demo"]);
    }

    #[test]
    fn watch_takes_a_number_only_after_an_equals_sign() {
        assert_eq!(parse(&["--watch", "demo"]).expect("legal").watch, Some(Duration::from_secs(2)));
        assert_eq!(parse(&["--watch=0.5"]).expect("legal").watch, Some(Duration::from_millis(500)));
        for bad in ["--watch=0", "--watch=-1", "--watch=x", "--watch=NaN", "--watch=1e9"] {
            assert!(parse(&[bad]).is_err(), "{bad}");
        }
    }
}
