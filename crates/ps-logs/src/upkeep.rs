//! `--rotate` and `--flush`: logs go on in new files, or are emptied.

use std::io::{self, Write};

use anyhow::Result;
use formation::{AppName, Which};
use log_store::Upkeep;
use ps_apps::World;
use ps_cli::exit::{Outcome, Refusal};
use ps_cli::say;
use ps_journal::Journal;
use ps_scheduler::Error;

use crate::args::Args;
use crate::targets::Targets;

/// The operation that was requested instead of lines.
pub(crate) fn asked(args: &Args) -> Result<Option<Upkeep>> {
    if args.flush && args.words.is_empty() {
        return Err(Refusal::usage("--flush removes what was written: say of which apps"));
    }
    let rotate = args.rotate.then_some(Upkeep::Rotate);
    Ok(rotate.or(args.flush.then_some(Upkeep::Flush)))
}

/// Carries out the operation for one app after the other, and prints for each how many bytes of output were
/// rotated or removed.
pub(crate) fn run(world: &World, targets: &Targets, upkeep: Upkeep) -> Result<Outcome> {
    let (mut out, mut failed) = (io::stdout().lock(), Vec::new());
    for app in &targets.apps {
        match keep_up(world, app, &targets.which, upkeep) {
            Ok(bytes) => writeln!(out, "{app}: {bytes} bytes {}", past(upkeep))?,
            Err(error) => failed.push((app, error)),
        }
    }
    if let ([_], Some((_, error))) = (&targets.apps[..], failed.pop()) {
        return Err(error.into());
    }
    for (app, error) in &failed {
        say::warning(&format!("the logs of {app} are not all {}: {error}", past(upkeep)));
    }
    Ok(if failed.is_empty() { Outcome::Done } else { Outcome::No })
}

fn keep_up(world: &World, app: &AppName, which: &Which, upkeep: Upkeep) -> Result<u64, Error> {
    let scheduler = ps_schedulers::of(world, app).map_err(|error| Error::Backend {
        context: format!("read which scheduler {app} has"),
        reason: error.to_string(),
    })?;
    let verb = match upkeep {
        Upkeep::Rotate => "rotate-logs",
        Upkeep::Flush => "flush-logs",
    };
    let words: Vec<String> = match which {
        Which::All => vec![app.to_string()],
        some => vec![app.to_string(), some.to_string()],
    };
    Journal::of(world, app).tell(verb, &words, say::warning, || scheduler.keep_up_logs(app, which, upkeep))
}

fn past(upkeep: Upkeep) -> &'static str {
    match upkeep {
        Upkeep::Rotate => "rotated",
        Upkeep::Flush => "removed",
    }
}
