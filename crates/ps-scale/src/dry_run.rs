//! What a change would do to each instance, and nothing of it is done. What runs is not judged from records: `ps-lifecycle` asks
//! the app's scheduler and makes the very plan that `converge` makes. Inside Dokku a deploy of a type replaces all of
//! its instances, and other types are left as they are. What nobody answered is `unknown`.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Write};

use anyhow::{Context, Result};
use formation::{AppName, Formation, Which};
use ps_apps::{FormationSource, StoredFormation, World};
use ps_cli::exit::Outcome;
use ps_scheduler::{Intent, Plan};
use serde::{Deserialize, Serialize};

use crate::args::Args;
use crate::format::Format;
use crate::{act, print};

#[derive(Serialize)]
struct DryRun<'a> {
    app: &'a str,
    source: &'static str,
    instances: &'a [Row],
}

#[derive(Debug, Serialize, Deserialize)]
struct Row {
    process_type: String,
    index: u16,
    action: Cow<'static, str>,
    reason: Cow<'static, str>,
}

/// Every row, and whether all of it is known.
struct Rows(Vec<Row>, bool);

/// What applying the stored formation would do.
pub(crate) fn stored(world: &World, app: &AppName, args: &Args) -> Result<Outcome> {
    let stored = print::read(world, app)?;
    let source = world.formation_source(app)?;
    write(app, source, &rows(world, app, &stored)?, args)
}

/// What a change given as arguments would do.
pub(crate) fn change(
    world: &World,
    app: &AppName,
    before: &StoredFormation,
    after: &StoredFormation,
    args: &Args,
) -> Result<Outcome> {
    let mut rows = rows(world, app, after)?;
    if world.inside_dokku() && world.is_deployed(app)? {
        let changed: BTreeSet<String> = after.changed_since(before).into_iter().collect();
        rows.0.iter_mut().for_each(|row| row.as_dokku_does(&changed));
    }
    write(app, FormationSource::Argument, &rows, args)
}

fn write(
    app: &AppName,
    source: FormationSource,
    Rows(rows, is_known): &Rows,
    args: &Args,
) -> Result<Outcome> {
    let mut out = io::stdout().lock();
    match args.format() {
        Format::Text => {
            for row in rows {
                let slot = format!("{}.{}", row.process_type, row.index);
                writeln!(out, "{slot:<16} {:<8} {}", row.action, row.reason)?;
            }
        }
        Format::Json => {
            let dry_run = DryRun { app: app.as_str(), source: source.as_str(), instances: rows };
            writeln!(out, "{}", serde_json::to_string(&dry_run)?)?;
        }
        Format::Csv => {
            let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(&mut out);
            writer.write_record(["process_type", "index", "action", "reason"])?;
            rows.iter().try_for_each(|row| writer.serialize(row))?;
            writer.flush()?;
        }
        // Refused before: a file of counts has no place for actions.
        Format::DokkuScale => {}
    }
    out.flush()?;
    Ok(if *is_known { Outcome::Done } else { Outcome::No })
}

fn rows(world: &World, app: &AppName, formation: &StoredFormation) -> Result<Rows> {
    if !world.is_deployed(app)? {
        return Ok(Rows(undeployed(world, app, formation)?, true));
    }
    let (printed, is_known) = act::plan(app, formation)?;
    let printed = String::from_utf8_lossy(&printed);
    let rows = printed.lines().map(serde_json::from_str).collect::<Result<_, _>>();
    Ok(Rows(rows.context("read the plan of ps-lifecycle")?, is_known))
}

/// Nothing of the app runs, and nothing of a change will.
fn undeployed(world: &World, app: &AppName, formation: &StoredFormation) -> Result<Vec<Row>> {
    let known = world.known_types(app)?;
    let is_known = |name: &str| known.as_ref().is_none_or(|types| types.contains(name));
    let wanted = formation.wanted();
    let wanted = wanted.iter().filter(|(process_type, _)| is_known(process_type.as_str()));
    let wanted: Formation = wanted.map(|(process_type, quantity)| (process_type.clone(), quantity)).collect();
    let steps = Plan::steps(&wanted, &[], &Intent::Converge(Which::All));
    let row = |step: &ps_scheduler::Step| Row {
        process_type: step.slot.process_type.to_string(),
        index: step.slot.index,
        action: step.change.as_str().into(),
        reason: "the app is not deployed: starts with its first deploy".into(),
    };
    Ok(steps.iter().map(row).collect())
}

impl Row {
    fn as_dokku_does(&mut self, changed: &BTreeSet<String>) {
        let (action, reason) = match (&*self.action, changed.contains(&self.process_type)) {
            ("keep", true) => ("replace", "Dokku deploys the whole type"),
            // Dokku starts what is scaled of an app that somebody stopped.
            ("start", true) => ("start", "wanted, but not running"),
            ("start" | "stop", false) => ("keep", "its count does not change: Dokku leaves it as it is"),
            _ => return,
        };
        (self.action, self.reason) = (action.into(), reason.into());
    }
}
