//! Answers to Dokku's questions about apps. For a native app all answers are read from files; no supervisor is asked. For an app on a swarm
//! a manager is asked.

use std::io::{self, Write};

use anyhow::{Context, Result};
use formation::{AppName, Slot, Which};
use ps_apps::World;
use ps_cli::exit::Outcome;
use ps_scheduler::{LogRequest, Scheduler};

use super::ours::Ours;
use crate::logs;

/// The colours of instances in a log, one after the other; docker-local has the same ones.
const COLOURS: [u8; 5] = [36, 33, 32, 35, 31];

/// The lines that `scheduler-logs` prints, and their form.
pub(super) struct Wanted<'a> {
    /// The process type; empty: every type.
    pub(super) process_type: &'a str,
    pub(super) follows: bool,
    /// Whether the name of the instance is left out.
    pub(super) quiet: bool,
}

/// Prints `<instances> <true|false|mixed>`.
pub(super) fn app_status(scheduler: &dyn Scheduler, app: &AppName) -> Result<()> {
    let status = scheduler.status_of(app)?;
    let mut out = io::stdout().lock();
    Ok(writeln!(out, "{} {}", status.current().count(), status.running().as_str())?)
}

/// Whether this scheduler has ever deployed the app.
pub(super) fn is_deployed(world: &World, ours: Ours, app: &AppName) -> Result<Outcome> {
    let is_deployed = ours.has_deployed(world, app)?;
    Ok(if is_deployed { Outcome::Done } else { Outcome::No })
}

/// Prints the raw descriptions, secrets included. The hook pipes them into `ps-inspect-sanitize`.
pub(super) fn inspect(scheduler: &dyn Scheduler, app: &AppName) -> Result<()> {
    let described = scheduler.inspect(app)?;
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, &described).map_err(io::Error::from)?;
    Ok(writeln!(out)?)
}

/// Prints the last `lines` lines of each instance, as they were written.
pub(super) fn logs(scheduler: &dyn Scheduler, app: &AppName, wanted: &Wanted<'_>, lines: &str) -> Result<()> {
    let lines = lines.parse().with_context(|| format!("{lines:?} is not a number of lines"))?;
    let which = match wanted.process_type {
        "" => Which::All,
        word => word.parse()?,
    };
    let request = LogRequest { follow: wanted.follows, ..LogRequest::last(app.clone(), which, Some(lines)) };
    let mut seen: Vec<Slot> = Vec::new();
    logs::write_out(scheduler, &request, |out, line| {
        if !seen.contains(&line.slot) {
            seen.push(line.slot.clone());
        }
        if !wanted.quiet {
            let place = seen.iter().position(|slot| *slot == line.slot).unwrap_or_default();
            let colour = COLOURS[place % COLOURS.len()];
            write!(out, "\x1b[{colour}mapp[{}]:\x1b[0m ", line.slot)?;
        }
        out.write_all(&line.bytes)?;
        out.write_all(b"\n")
    })
}
