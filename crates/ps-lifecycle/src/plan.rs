//! `converge --plan`: what `converge` would do, from the same status and the same plan, and nothing of it is done. `ps-scale
//! --dry-run` shows it. What a scheduler does not answer is `unknown`: nothing is guessed from records.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Write};

use anyhow::{Context, Result};
use formation::{Slot, State, Which};
use ps_apps::{StoredEntry, StoredFormation};
use ps_cli::exit::Outcome;
use ps_cli::say;
use ps_scheduler::{AppStatus, Change, Intent, Plan, Step};
use serde::Serialize;

use crate::args::ConvergeArgs;
use crate::session::Session;
use crate::{converge, release};

#[derive(Serialize)]
struct Row {
    process_type: String,
    index: u16,
    action: &'static str,
    reason: &'static str,
}

/// Prints a row as JSON for each slot that is wanted or filled; `No` if something is unknown.
pub(crate) fn print(session: &Session, args: &ConvergeArgs) -> Result<Outcome> {
    let world = &session.world;
    let app = world.app(&args.app)?;
    let stored = world.formation(&app.name)?;
    let asked = if args.formation { asked()? } else { stored.clone() };
    let known = world.known_types(&app.name)?;
    let wanted = release::runnable_of(&asked, known.as_ref());
    let rows = match converge::status(session, &app) {
        Ok(status) => {
            let is_stopped = converge::is_stopped(session, &app, &status)?;
            // Nothing is started of an app that was stopped whole: what is shown is what `start` will do.
            let intent = if is_stopped { Intent::Start(Which::All) } else { Intent::Converge(Which::All) };
            if status.instances.iter().any(|instance| instance.state == State::Unknown) {
                status.troubles.iter().for_each(|why| say::warning(why));
            }
            rows(&status, &Plan::steps(&wanted, &status.instances, &intent), is_stopped)
        }
        Err(error) => {
            say::warning(&format!("what runs of {} is not known: {error:#}", app.name));
            let was = release::runnable_of(&stored, known.as_ref());
            let steps = [wanted, was].map(|formation| Plan::steps(&formation, &[], &Intent::Deploy));
            let slots: BTreeSet<Slot> = steps.into_iter().flatten().map(|step| step.slot).collect();
            slots.iter().map(unknown).collect()
        }
    };
    let is_known = !rows.iter().any(|row| row.action == State::Unknown.as_str());
    let mut out = io::stdout().lock();
    for row in &rows {
        writeln!(out, "{}", serde_json::to_string(row)?)?;
    }
    out.flush()?;
    Ok(if is_known { Outcome::Done } else { Outcome::No })
}

fn rows(status: &AppStatus, steps: &[Step], is_stopped: bool) -> Vec<Row> {
    let is_unknown = |slot: &Slot| {
        status.instances.iter().any(|instance| instance.slot == *slot && instance.state == State::Unknown)
    };
    let row = |step: &Step| match step.change {
        _ if is_unknown(&step.slot) => unknown(&step.slot),
        Change::Start if is_stopped => {
            row(&step.slot, "start", "the app is stopped: starts when it is started")
        }
        change => row(&step.slot, change.as_str(), step.reason),
    };
    steps.iter().map(row).collect()
}

fn unknown(slot: &Slot) -> Row {
    row(slot, State::Unknown.as_str(), "its scheduler did not say whether it runs")
}

fn row(slot: &Slot, action: &'static str, reason: &'static str) -> Row {
    Row { process_type: slot.process_type.to_string(), index: slot.index, action, reason }
}

/// The formation that is asked for: `type=count` lines on stdin.
fn asked() -> Result<StoredFormation> {
    let mut scale = Vec::new();
    for line in io::stdin().lock().lines() {
        let line = line.context("read the formation from stdin")?;
        let (name, count) = line.split_once('=').with_context(|| format!("{line:?} has no count"))?;
        let count = count.parse().with_context(|| format!("the count of {name:?}"))?;
        scale.push(StoredEntry { name: name.to_owned(), count });
    }
    Ok(StoredFormation { scale, old: Vec::new() })
}
