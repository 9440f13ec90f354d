//! `status`: where each app is reached, and one row per instance, of every app asked for. Each scheduler is asked once for all of its apps.

use std::io::{self, BufWriter, Write};

use anyhow::Result;
use formation::AppName;
use ps_apps::{App, SchedulerName};
use ps_cli::exit::Outcome;
use ps_cli::{Format, say};
use ps_rows::StatusRow;
use ps_scheduler::{AppStatus, Running};
use ps_schedulers::Silent;

use crate::args::StatusArgs;
use crate::session::Session;
use crate::status_table;

pub(crate) fn run(session: &Session, args: &StatusArgs) -> Result<Outcome> {
    let apps: Vec<App> = if args.all || args.apps.is_empty() {
        session.world.apps()?
    } else {
        args.apps.iter().map(|name| session.world.app(name)).collect::<Result<_, _>>()?
    };
    let (statuses, is_complete) = statuses(session, &apps);
    // Buffered, so that all rows are written at once.
    let mut out = BufWriter::new(io::stdout().lock());
    let format = if args.json { Format::Json } else { args.format };
    if format == Format::Text {
        statuses
            .iter()
            .filter_map(|(_, status)| reached(status))
            .try_for_each(|line| writeln!(out, "{line}"))?;
    }
    let rows =
        statuses.into_iter().flat_map(|(scheduler, status)| StatusRow::of_app(scheduler.as_str(), status));
    let rows: Vec<StatusRow> = rows.collect();
    match format {
        Format::Text => status_table::text(&mut out, &rows)?,
        Format::Json => ps_rows::json_lines(&mut out, &rows)?,
        Format::Csv => ps_rows::status_csv(&mut out, &rows)?,
    }
    out.flush()?;
    Ok(if is_complete { Outcome::Done } else { Outcome::No })
}

/// The statuses in the order of the apps, and whether every scheduler answered for all instances.
fn statuses(session: &Session, apps: &[App]) -> (Vec<(SchedulerName, AppStatus)>, bool) {
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
    (names.iter().filter_map(|app| answers.statuses.remove(app)).collect(), is_complete)
}

/// Where an app is reached, if it has an address.
fn reached(status: &AppStatus) -> Option<String> {
    let AppStatus { app, instances, listen, .. } = status;
    if listen.is_empty() {
        return None;
    }
    let mut behind = instances.iter().filter(|instance| status.leads_to(instance));
    if !behind.any(|instance| instance.state.is_alive()) {
        return Some(format!("{app} has the address {listen}, and nothing runs there"));
    }
    let open: Option<u64> =
        instances.iter().filter_map(|instance| instance.connections).reduce(|all, one| all + one);
    let open = open.map(|open| format!(", open connections: {open}")).unwrap_or_default();
    Some(format!("{app} is reached at {listen}{open}"))
}
