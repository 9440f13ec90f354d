//! `releases`: lists the kept releases of an app, which can be deployed again.

use std::io::{self, Write};

use anyhow::Result;
use ps_cli::exit::Outcome;
use ps_cli::say;
use ps_rows::ReleaseRow;

use crate::args::ReleasesArgs;
use crate::session::Session;

/// How many characters of an id are printed for people.
const SHORT_ID: usize = 19;

/// Lists the kept releases. If one cannot be read, a warning names it, and the exit status is 1.
pub(crate) fn run(session: &Session, args: &ReleasesArgs) -> Result<Outcome> {
    let world = &session.world;
    let app = world.app(&args.app)?;
    let newest = world.newest_release(&app.name)?;
    let (mut rows, mut outcome) = (Vec::new(), Outcome::Done);
    for kept in world.kept_releases(&app.name)? {
        match kept {
            Ok(kept) => {
                let runs = newest == Some(kept.number);
                rows.push(ReleaseRow::of(app.name.as_str(), kept, runs));
            }
            Err(error) => {
                say::warning(&error.to_string());
                outcome = Outcome::No;
            }
        }
    }
    let mut out = io::stdout().lock();
    if args.json {
        ps_rows::json_lines(&mut out, &rows)?;
    } else {
        text(&mut out, &rows)?;
    }
    out.flush()?;
    Ok(outcome)
}

fn text(out: &mut impl Write, rows: &[ReleaseRow]) -> io::Result<()> {
    writeln!(out, "{:>7}  {:<24}  {:<12}  {:<24}  SOURCE", "RELEASE", "DEPLOYED", "SCHEDULER", "FORMATION")?;
    for row in rows {
        let counts: Vec<String> =
            row.formation.iter().map(|(name, count)| format!("{name}={count}")).collect();
        let source = source(row);
        let is_newest = if row.newest { "*" } else { "" };
        let number = format!("{}{is_newest}", row.release);
        writeln!(
            out,
            "{number:>7}  {:<24}  {:<12}  {:<24}  {source}",
            row.at,
            row.scheduler,
            counts.join(" ")
        )?;
    }
    Ok(())
}

fn source(row: &ReleaseRow) -> String {
    let place = row.directory.clone().unwrap_or_else(|| row.place.clone());
    let id = row.image.as_ref().filter(|id| **id != place);
    let id = id.map(|id| format!(" ({})", id.chars().take(SHORT_ID).collect::<String>()));
    let restores = row.restores.map(|number| format!(", release {number} again"));
    [Some(place), id, restores].into_iter().flatten().collect()
}
