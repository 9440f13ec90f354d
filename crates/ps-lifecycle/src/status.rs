//! `status`: one row per instance, of every app asked for. Each scheduler is asked once for all of its apps.

use std::io;

use anyhow::Result;
use formation::AppName;
use ps_apps::App;
use ps_cli::exit::Outcome;
use ps_cli::{Format, say};
use ps_scheduler::{AppStatus, Instance, Running};
use ps_schedulers::Silent;

use crate::args::StatusArgs;
use crate::session::Session;
use crate::status_table;
use crate::status_table::InstanceRow;

pub(crate) fn run(session: &Session, args: &StatusArgs) -> Result<Outcome> {
    let apps: Vec<App> = if args.apps.is_empty() {
        session.world.apps()?
    } else {
        args.apps.iter().map(|name| session.world.app(name)).collect::<Result<_, _>>()?
    };
    let (rows, is_complete) = rows(session, &apps);
    let out = io::stdout().lock();
    match if args.json { Format::Json } else { args.format } {
        Format::Text => status_table::text(out, &rows)?,
        Format::Json => status_table::json(out, &rows)?,
        Format::Csv => status_table::csv(out, &rows)?,
    }
    Ok(if is_complete { Outcome::Done } else { Outcome::No })
}

/// The rows in the order of the apps, and whether every scheduler answered, and knew how each instance is.
fn rows(session: &Session, apps: &[App]) -> (Vec<InstanceRow>, bool) {
    let names: Vec<AppName> = apps.iter().map(|app| app.name.clone()).collect();
    let mut answers = ps_schedulers::statuses(&session.world, &names);
    for Silent { apps, reason } in &answers.silent {
        let apps: Vec<&str> = apps.iter().map(AppName::as_str).collect();
        say::warning(&format!("{}: {reason}", apps.join(", ")));
    }
    let statuses = || answers.statuses.values().map(|(_, status)| status);
    statuses().flat_map(|status| &status.troubles).for_each(|trouble| say::warning(trouble));
    let is_unknown = |status: &AppStatus| status.running() == Running::Unknown;
    let is_complete = answers.silent.is_empty() && !statuses().any(is_unknown);
    let answered = names.iter().filter_map(|app| answers.statuses.remove(app));
    let rows = answered.flat_map(|(name, status)| rows_of(name.as_str(), status)).collect();
    (rows, is_complete)
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
