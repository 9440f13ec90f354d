//! What every app is and how it is doing, from files, and from one question to each scheduler. Reads only: nothing is
//! locked, nothing is repaired.

mod args;
mod csv;
mod encoding;
mod external;
mod flags;
mod json;
mod read;
mod row;
mod status;
mod subjects;
mod text;
mod watch;

use std::io::{self, BufWriter, Write};

use anyhow::Result;
use ps_apps::World;
use ps_cli::exit::{self, Outcome};

use crate::args::Args;
use crate::encoding::Encoding;
use crate::row::Row;
use crate::subjects::Subjects;

/// Runs the program with the arguments and the environment of this process.
pub fn run() -> Result<Outcome> {
    let args = Args::from_words(exit::arguments())?;
    let world = World::from_env()?;
    let subjects = subjects::resolve(&world, &args)?;
    let encoding = encoding::resolve(&world, &args, &subjects)?;
    if matches!(&subjects, Subjects::Apps(apps) if apps.is_empty()) {
        subjects::say_there_are_none(&world);
    }
    match args.watch {
        Some(every) => watch::run(&world, &args, &encoding, every),
        None => once(&world, &subjects, &encoding, &mut BufWriter::new(io::stdout().lock())),
    }
}

/// One report of all subjects; [`Outcome::No`] if something in it is not known.
pub(crate) fn once(
    world: &World,
    subjects: &Subjects,
    encoding: &Encoding,
    out: &mut dyn Write,
) -> Result<Outcome> {
    let rows = read::rows(world, subjects, encoding.flag());
    for row in &rows {
        row.complain();
    }
    match encoding {
        Encoding::Value(flag) => values(world, &rows, flag, out)?,
        Encoding::Text { header } => text::report(&rows, *header, out)?,
        Encoding::Json { with_name } => json::lines(&rows, *with_name, out)?,
        Encoding::Csv { columns } => csv::table(&rows, columns.as_deref(), out)?,
    }
    out.flush()?;
    Ok(if rows.iter().all(Row::is_whole) { Outcome::Done } else { Outcome::No })
}

/// Dokku's order: what comes before the first app without that flag is printed, then the refusal.
fn values(world: &World, rows: &[Row], flag: &str, out: &mut dyn Write) -> Result<()> {
    text::values(rows, flag, out)?;
    out.flush()?;
    match rows.iter().find(|row| !row.values.contains_key(flag)) {
        None => Ok(()),
        Some(row) => Err(encoding::no_such_status(world, flag, row)),
    }
}
