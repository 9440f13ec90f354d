//! `doctor`: checks whether this machine provides what apps need, and says what to do if it does not. It changes
//! nothing and starts nothing.

mod boot;
mod bundle;
mod engine;
mod kernel;
mod roots;
mod supervisors;

use std::io::{self, Write};

use anyhow::Result;
use ps_cli::exit::Outcome;
use ps_rows::{FindingRow, Verdict};

use crate::args::DoctorArgs;
use crate::session::Session;

/// Prints one row for each check. [`Outcome::No`] if one of them failed.
pub(crate) fn run(session: &Session, args: &DoctorArgs) -> Result<Outcome> {
    let rows = look(session)?;
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

fn look(session: &Session) -> Result<Vec<FindingRow>> {
    let world = &session.world;
    let supervisors = supervisors::of(world)?;
    let mut rows = vec![kernel::kernel(), kernel::processes()];
    rows.push(kernel::limits(supervisors.first_process()));
    rows.extend([kernel::descriptors(), kernel::inotify(), kernel::ports(world)?]);
    rows.extend(roots::roots(world));
    rows.extend(roots::disk(world));
    rows.push(supervisors::programs());
    rows.extend(supervisors.rows(world));
    rows.extend(engine::engine(world)?);
    rows.push(boot::boot(world));
    Ok(rows)
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
