//! `doctor`: checks whether this machine provides what apps need, and says what to do if it does not. It changes
//! nothing and starts nothing.

mod boot;
mod bundle;
mod certificates;
mod engine;
mod kernel;
mod roots;
mod supervisors;

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt as _;

use anyhow::{Error, Result};
use ps_apps::World;
use ps_cli::exit::Outcome;
use ps_rows::{FindingRow, Verdict};
use rustix::process::geteuid;

use self::supervisors::Supervisors;
use crate::args::DoctorArgs;
use crate::session::Session;

/// Prints one row for each check. [`Outcome::No`] if one of them failed.
pub(crate) fn run(session: &Session, args: &DoctorArgs) -> Result<Outcome> {
    let rows = look(&session.world);
    if let Some(file) = &args.bundle {
        bundle::write(session, &rows, file)?;
    }
    let mut out = io::stdout().lock();
    if args.json {
        ps_rows::json_lines(&mut out, &rows)?;
    } else {
        text(&mut out, &rows)?;
    }
    out.flush()?;
    let has_failed = rows.iter().any(|row| row.verdict == Verdict::Fail);
    Ok(if has_failed { Outcome::No } else { Outcome::Done })
}

fn look(world: &World) -> Vec<FindingRow> {
    let supervisors = supervisors::of(world);
    let process = supervisors.as_ref().ok().and_then(Supervisors::first_process);
    let mut rows = vec![kernel::kernel(), kernel::processes(), kernel::limits(process)];
    rows.extend([kernel::descriptors(), kernel::inotify()]);
    rows.push(kernel::ports(world).unwrap_or_else(|error| unread(world, kernel::PORTS, &error)));
    rows.extend(roots::roots(world));
    rows.extend(roots::disk(world));
    rows.push(supervisors::programs());
    rows.extend(match &supervisors {
        Ok(supervisors) => supervisors.rows(world),
        Err(error) => vec![unread(world, supervisors::CHECK, error)],
    });
    rows.extend(engine::engine(world).unwrap_or_else(|error| vec![unread(world, engine::CHECK, &error)]));
    rows.push(
        certificates::certificates(world).unwrap_or_else(|error| unread(world, certificates::CHECK, &error)),
    );
    rows.push(boot::boot(world));
    rows
}

/// The row of a check for which a file of the apps cannot be read, mostly because the apps are those of another user.
fn unread(world: &World, check: &'static str, error: &Error) -> FindingRow {
    let owner = fs::metadata(world.lib()).map(|lib| lib.uid());
    let cure = match owner.ok().filter(|owner| *owner != geteuid().as_raw()) {
        Some(owner) => format!("run this as the user with the id {owner}, whose apps these are"),
        None => "see that this file is there and can be read".to_owned(),
    };
    FindingRow::fail(check, format!("not looked at, because the apps cannot be read: {error:#}"), cure)
}

/// Prints the verdict, the check and the finding, and below them the cure.
fn text(out: &mut impl Write, rows: &[FindingRow]) -> io::Result<()> {
    let width = rows.iter().map(|row| row.check.len()).max().unwrap_or(0);
    for FindingRow { check, verdict, found, cure } in rows {
        writeln!(out, "{}  {check:width$}  {found}", verdict.as_str())?;
        if let Some(cure) = cure {
            writeln!(out, "      {:width$}  to do: {cure}", "")?;
        }
    }
    let count = |verdict| rows.iter().filter(|row| row.verdict == verdict).count();
    let (warned, failed) = (count(Verdict::Warn), count(Verdict::Fail));
    writeln!(out, "{} looked at: {failed} failed, {warned} could be better", rows.len())
}
