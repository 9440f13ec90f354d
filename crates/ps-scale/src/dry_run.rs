//! What a change would do to each instance, from the records on disk: nothing is asked of an engine or a supervisor, and
//! nothing is changed. Outside Dokku this is the plan that `ps-lifecycle converge` makes; inside Dokku a deploy of a
//! type replaces all of its instances.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Result;
use procfile::Formation;
use ps_apps::{AppName, Error, FormationSource, Scope, StoredFormation, World, durable};
use ps_cli::Format;
use ps_cli::exit::Outcome;
use ps_scheduler::{Action, Instance, Intent, Plan, Slot, State, Step, Which};
use serde::{Deserialize, Serialize};

use crate::args::Args;
use crate::print;

#[derive(Serialize)]
struct DryRun<'a> {
    app: &'a str,
    source: &'static str,
    instances: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    process_type: String,
    index: u16,
    action: &'static str,
    reason: &'static str,
}

#[derive(Deserialize)]
struct RecordedStatus {
    state: State,
}

/// What applying the stored formation would do.
pub(crate) fn stored(world: &World, app: &AppName, args: &Args) -> Result<Outcome> {
    let stored = print::read(world, app)?;
    let source = world.formation_source(app)?;
    write(app, source, rows(world, app, &stored, &stored)?, args)
}

/// What a change given as arguments would do.
pub(crate) fn change(
    world: &World,
    app: &AppName,
    before: &StoredFormation,
    after: &StoredFormation,
    args: &Args,
) -> Result<Outcome> {
    write(app, FormationSource::Argument, rows(world, app, before, after)?, args)
}

fn write(app: &AppName, source: FormationSource, rows: Vec<Row>, args: &Args) -> Result<Outcome> {
    let mut out = io::stdout().lock();
    match args.format() {
        Format::Text => {
            for row in &rows {
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
    }
    out.flush()?;
    Ok(Outcome::Done)
}

fn rows(world: &World, app: &AppName, before: &StoredFormation, after: &StoredFormation) -> Result<Vec<Row>> {
    let known = world.known_types(app)?;
    let is_known = |name: &str| known.as_ref().is_none_or(|types| types.contains(name));
    let wanted: Formation = after
        .wanted()
        .iter()
        .filter(|(process_type, _)| is_known(process_type.as_str()))
        .map(|(process_type, quantity)| (process_type.clone(), quantity))
        .collect();
    let present = recorded(world, app)?;
    let mut steps = Plan::steps(&wanted, &present, &Intent::Converge(Which::All));
    if world.inside_dokku() {
        let changed: BTreeSet<String> = after.changed_since(before).into_iter().collect();
        for step in &mut steps {
            as_dokku_does(step, &changed);
        }
    }
    let waits_for = if !world.is_deployed(app)? {
        Some("the app is not deployed: starts with its first deploy")
    } else if is_stopped(world, app, &present)? {
        Some("the app is stopped: starts when it is started")
    } else {
        None
    };
    Ok(steps.iter().map(|step| row(step, waits_for)).collect())
}

/// Whether somebody stopped the app: then a change starts nothing.
fn is_stopped(world: &World, app: &AppName, present: &[Instance]) -> Result<bool> {
    let restore = world.property("ps", Scope::App(app), "restore")?;
    Ok(restore.as_deref() == Some("false") && !present.iter().any(|instance| instance.state.is_alive()))
}

fn as_dokku_does(step: &mut Step, changed: &BTreeSet<String>) {
    if step.action == Action::Keep && changed.contains(step.slot.process_type.as_str()) {
        (step.action, step.reason) = (Action::Replace, "Dokku deploys the whole type");
    }
}

fn row(step: &Step, waits_for: Option<&'static str>) -> Row {
    let reason = waits_for.filter(|_| step.action == Action::Start).unwrap_or(step.reason);
    Row {
        process_type: step.slot.process_type.to_string(),
        index: step.slot.index,
        action: step.action.as_str(),
        reason,
    }
}

/// The instances that somebody wrote down: native ones with their state, containers as running.
fn recorded(world: &World, app: &AppName) -> Result<Vec<Instance>> {
    if world.scheduler_name(app)? == "native" {
        let directory = world.data_dir("scheduler-native", app);
        let read = names(&directory)?;
        return read.iter().filter_map(|name| native(&directory, name).transpose()).collect();
    }
    let names = names(&world.app_dir(app))?;
    let slots = names.iter().filter_map(|name| name.strip_prefix("CONTAINER.")?.parse().ok());
    Ok(slots.map(|slot: Slot| Instance::new(slot, State::Running)).collect())
}

/// `None` where the name is no slot's, or the instance has no status.
fn native(directory: &Path, name: &str) -> Result<Option<Instance>> {
    let Ok(slot) = name.parse() else { return Ok(None) };
    let path = directory.join(name).join("status.json");
    let Some(bytes) = durable::read(&path, true)? else { return Ok(None) };
    let status: RecordedStatus = serde_json::from_slice(&bytes).map_err(|why| Error::Corrupt {
        path,
        line: None,
        reason: format!("{why}: what the instance does is not known"),
    })?;
    Ok(Some(Instance::new(slot, status.state)))
}

fn names(directory: &Path) -> Result<Vec<String>> {
    match fs::read_dir(directory) {
        Ok(entries) => {
            Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(Error::io("read", directory, source).into()),
    }
}
