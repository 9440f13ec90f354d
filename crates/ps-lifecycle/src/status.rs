//! `status`: one row per instance, of every app asked for. Each scheduler is asked once for all of its apps.

use std::collections::BTreeMap;
use std::io;

use anyhow::Result;
use ps_apps::App;
use ps_cli::exit::Outcome;
use ps_cli::{Format, say};
use ps_scheduler::{AppStatus, Instance, Running};

use crate::args::StatusArgs;
use crate::session::Session;
use crate::status_table::InstanceRow;
use crate::{schedulers, status_table};

pub(crate) fn run(session: &Session, args: &StatusArgs) -> Result<Outcome> {
    let apps: Vec<App> = if args.apps.is_empty() {
        session.world.apps()?
    } else {
        args.apps.iter().map(|name| session.world.app(name)).collect::<Result<_, _>>()?
    };
    let (rows, is_complete) = rows(session, &apps)?;
    let out = io::stdout().lock();
    match if args.json { Format::Json } else { args.format } {
        Format::Text => status_table::text(out, &rows)?,
        Format::Json => status_table::json(out, &rows)?,
        Format::Csv => status_table::csv(out, &rows)?,
    }
    Ok(if is_complete { Outcome::Done } else { Outcome::No })
}

/// The rows in the order of the apps, and whether every scheduler answered, and knew how each instance is.
fn rows(session: &Session, apps: &[App]) -> Result<(Vec<InstanceRow>, bool)> {
    let mut by_scheduler: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for app in apps {
        let name = session.world.scheduler_name(&app.name)?;
        by_scheduler.entry(name).or_default().push(app.name.to_string());
    }
    let mut is_complete = true;
    let mut by_app: BTreeMap<String, Vec<InstanceRow>> = BTreeMap::new();
    for (name, apps) in by_scheduler {
        match schedulers::named(&session.world, &name).and_then(|scheduler| Ok(scheduler.status(&apps)?)) {
            Ok(statuses) => {
                for trouble in statuses.iter().flat_map(|status| &status.troubles) {
                    say::warning(trouble);
                }
                let is_unknown = |status: &AppStatus| status.running() == Running::Unknown;
                is_complete &= !statuses.iter().any(is_unknown);
                let rows = |status: AppStatus| (status.app.clone(), rows_of(&name, status));
                by_app.extend(statuses.into_iter().map(rows));
            }
            Err(error) => {
                say::warning(&format!("{}: {error:#}", apps.join(", ")));
                is_complete = false;
            }
        }
    }
    let rows = apps.iter().filter_map(|app| by_app.remove(app.name.as_str())).flatten().collect();
    Ok((rows, is_complete))
}

fn rows_of(scheduler: &str, status: AppStatus) -> Vec<InstanceRow> {
    let AppStatus { app, instances, .. } = status;
    instances.into_iter().map(|instance| row(scheduler, &app, instance)).collect()
}

fn row(scheduler: &str, app: &str, instance: Instance) -> InstanceRow {
    InstanceRow {
        app: app.to_owned(),
        process_type: instance.slot.process_type.to_string(),
        index: instance.slot.index,
        state: instance.state.as_str(),
        pid: instance.pid,
        container_id: instance.container_id,
        address: instance.address,
        port: instance.port,
        since: instance.since.map(|since| since.to_string()),
        restarts: instance.restarts,
        cpu_percent: instance.cpu_percent,
        memory_bytes: instance.memory_bytes,
        last_exit: instance.last_exit,
        scheduler: scheduler.to_owned(),
        // Where both are the same, the app runs where it was deployed from: nothing is to be said.
        directory: instance
            .directory
            .filter(|_| instance.typed_directory.is_some())
            .map(|path| path.display().to_string()),
        typed_directory: instance.typed_directory.map(|path| path.display().to_string()),
        note: instance.note,
    }
}
