//! Options that select a part of the past, and whether to follow.

use std::time::SystemTime;

use anyhow::Result;
use ps_cli::exit::Refusal;
use ps_output::Moment;

/// How many lines or events are shown without `--lines`.
const LAST: usize = 100;

#[derive(Debug, clap::Args)]
pub(crate) struct PastArgs {
    /// The last N lines of each stream, or events [default: 100; with --since or --until, all]
    #[arg(short = 'n', long = "num", value_name = "N")]
    lines: Option<usize>,
    /// Only from this time on: 5m, 2h or 1d ago, 14:03, or 2026-11-26T14:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Only up to this time
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// Keep running, and print new ones as they come
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// A part of the past, with relative times resolved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Past {
    pub(crate) since: Option<SystemTime>,
    pub(crate) until: Option<SystemTime>,
    /// How many at most, counted from the end.
    pub(crate) last: Option<usize>,
}

impl PastArgs {
    /// Resolves the options at this time. Without a range of time, the last ones are shown.
    ///
    /// # Errors
    /// The range of time begins in the future, or ends before it begins.
    pub(crate) fn seen_from(&self, now: SystemTime) -> Result<Past> {
        let [since, until] =
            [self.since, self.until].map(|moment| moment.map(|moment| moment.seen_from(now)));
        if since.is_some_and(|since| since > now) {
            return Err(Refusal::usage("--since is in the future"));
        }
        if since.zip(until).is_some_and(|(since, until)| since > until) {
            return Err(Refusal::usage("--since is later than --until"));
        }
        let last = self.lines.or((since.is_none() && until.is_none()).then_some(LAST));
        Ok(Past { since, until, last })
    }

    /// Whether new lines or events are followed without an end.
    pub(crate) fn is_endless(&self) -> bool {
        self.follow && self.until.is_none()
    }
}
