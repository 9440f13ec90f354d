//! `status`: one row per instance, of every app asked for. Each scheduler is asked once for all of its apps.

use std::io::{self, BufWriter, Write};

use anyhow::Result;
use formation::AppName;
use ps_apps::App;
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
    let (rows, is_complete) = rows(session, &apps);
    // Buffered, so that all rows are written at once.
    let mut out = BufWriter::new(io::stdout().lock());
    match if args.json { Format::Json } else { args.format } {
        Format::Text => status_table::text(&mut out, &rows)?,
        Format::Json => ps_rows::json_lines(&mut out, &rows)?,
        Format::Csv => ps_rows::status_csv(&mut out, &rows)?,
    }
    out.flush()?;
    Ok(if is_complete { Outcome::Done } else { Outcome::No })
}

/// The rows in the order of the apps, and whether every scheduler answered for all instances.
fn rows(session: &Session, apps: &[App]) -> (Vec<StatusRow>, bool) {
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

fn rows_of(scheduler: &str, status: AppStatus) -> Vec<StatusRow> {
    let AppStatus { app, instances, .. } = status;
    instances.into_iter().map(|instance| StatusRow::of(scheduler, app.as_str(), instance)).collect()
}
