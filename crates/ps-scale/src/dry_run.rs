//! Shows what a change would do to each instance, without doing it. The running instances are not taken from records:
//! `ps-lifecycle` asks the app's scheduler and makes the same plan that `converge` makes. Inside Dokku a deploy of a
//! type replaces all of its instances, and other types are not touched. If a scheduler does not answer, the row says
//! `unknown`.

use std::io::{self, Write};

use anyhow::{Context, Result};
use formation::{AppName, ProcessType};
use ps_apps::{FormationOrigin, StoredFormation, World};
use ps_cli::exit::Outcome;
use ps_scheduler::{Foreseen, Outlook, foresee};
use serde::Serialize;

use crate::args::Args;
use crate::format::Format;
use crate::{act, print};

#[derive(Serialize)]
struct DryRun<'a> {
    app: &'a str,
    source: &'static str,
    instances: &'a [Foreseen],
}

/// Every row, and whether all of it is known.
struct Rows(Vec<Foreseen>, bool);

/// Shows what applying the stored formation would do.
pub(crate) fn stored(world: &World, app: &AppName, args: &Args) -> Result<Outcome> {
    let stored = print::read(world, app)?;
    let source = world.formation_origin(app)?;
    write(app, source, &rows(world, app, &stored, None)?, args)
}

/// Shows what a change given as arguments would do.
pub(crate) fn change(
    world: &World,
    app: &AppName,
    before: &StoredFormation,
    after: &StoredFormation,
    args: &Args,
) -> Result<Outcome> {
    // A stored name that is not legal today is never deployed.
    let is_type = |name: &String| name.parse::<ProcessType>().is_ok();
    let changed = || after.changed_since(before).into_iter().filter(is_type).collect::<Vec<_>>();
    let whole = world.inside_dokku().then(changed);
    write(app, FormationOrigin::Argument, &rows(world, app, after, whole.as_deref())?, args)
}

fn write(
    app: &AppName,
    source: FormationOrigin,
    Rows(rows, is_known): &Rows,
    args: &Args,
) -> Result<Outcome> {
    let mut out = io::stdout().lock();
    match args.format() {
        Format::Text => {
            for row in rows {
                writeln!(out, "{row}")?;
            }
        }
        Format::Json => {
            let dry_run = DryRun { app: app.as_str(), source: source.as_str(), instances: rows };
            writeln!(out, "{}", serde_json::to_string(&dry_run)?)?;
        }
        Format::Csv => {
            let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(&mut out);
            writer.write_record(["process_type", "index", "action", "reason"])?;
            for Foreseen { process_type, index, action, reason, .. } in rows {
                writer.serialize((process_type, index, action, reason))?;
            }
            writer.flush()?;
        }
        // Other code has refused this before: a DOKKU_SCALE file cannot contain actions.
        Format::DokkuScale | Format::Events => {}
    }
    out.flush()?;
    Ok(if *is_known { Outcome::Done } else { Outcome::No })
}

fn rows(world: &World, app: &AppName, formation: &StoredFormation, whole: Option<&[String]>) -> Result<Rows> {
    if !ps_dokku::is_deployed(world, app)? {
        let wanted = ps_release::runnable_of(formation, world.known_types(app)?.as_ref()).formation;
        return Ok(Rows(foresee(&wanted, Outlook::Undeployed), true));
    }
    let (printed, is_known) = act::plan(app, formation, whole)?;
    let printed = String::from_utf8_lossy(&printed);
    let rows = printed.lines().map(serde_json::from_str).collect::<Result<_, _>>();
    Ok(Rows(rows.context("read the plan of ps-lifecycle")?, is_known))
}
