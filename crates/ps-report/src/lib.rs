//! Reports the properties of every app and whether it is running, from files and from one question to each scheduler.
//! The program only reads: it takes no lock and repairs nothing.

mod args;
mod csv;
mod encoding;
mod flags;
mod json;
mod parallel;
mod read;
mod row;
mod settings;
mod status;
mod subjects;
mod text;
mod wanted;
mod watch;
mod worlds;

use std::io::{self, BufWriter, Write};

use anyhow::Result;
use ps_apps::World;
use ps_cli::completion;
use ps_cli::exit::{self, Outcome};

use crate::args::Args;
use crate::encoding::Encoding;
use crate::row::Row;
use crate::subjects::{Subjects, complain};

/// The command line as clap knows it, for man pages and completions.
pub fn command() -> clap::Command {
    <Args as clap::CommandFactory>::command()
}

/// Runs the program with the arguments and the environment of this process.
pub fn run() -> Result<Outcome> {
    if completion::answered(command, &[]) {
        return Ok(Outcome::Done);
    }
    let args = Args::from_words(exit::arguments())?;
    if !ps_apps::inside_dokku() {
        if args.worlds.is_given() {
            return worlds::each(&args);
        }
        let world = args.world.open()?;
        return if args.settings { settings::run(&world, &args) } else { report(&world, &args) };
    }
    report(&World::from_env()?, &args.into_those_of_dokku())
}

fn report(world: &World, args: &Args) -> Result<Outcome> {
    encoding::refuse_two_flags(args)?;
    let subjects = subjects::resolve(world, args)?;
    let encoding = encoding::resolve(world, args, &subjects);
    if subjects.is_empty() && (world.inside_dokku() || encoding.is_ok()) {
        subjects::say_there_are_none(world);
        // Dokku checks the other arguments only if there is an app.
        if encoding.is_err() {
            return Ok(Outcome::Done);
        }
    }
    let encoding = encoding?;
    match args.watch {
        Some(every) => watch::run(world, args, &encoding, every),
        None => once(world, &subjects, &encoding, &mut BufWriter::new(io::stdout().lock())),
    }
}

/// Prints one report of all subjects, each row as soon as it is read. [`Outcome::No`] if a value is not known.
pub(crate) fn once(
    world: &World,
    subjects: &Subjects,
    encoding: &Encoding,
    out: &mut dyn Write,
) -> Result<Outcome> {
    let mut is_whole = true;
    if let Encoding::Csv { columns } = encoding {
        csv::header(columns, out)?;
    }
    read::each(
        world,
        subjects,
        encoding.flag(),
        |row| Rendered::of(world, row, encoding),
        &mut |row: Rendered| {
            is_whole &= row.is_whole;
            row.complaints.iter().for_each(|text| complain(text));
            out.write_all(&row.text)?;
            // As in Dokku, everything that was printed before a failure stays.
            row.printed.or_else(|error| out.flush().map_err(Into::into).and(Err(error)))
        },
    )?;
    out.flush()?;
    Ok(if is_whole { Outcome::Done } else { Outcome::No })
}

/// A row in its printed form. It is rendered at once on the thread that made it, because keeping a thousand rows until the engine
/// has answered takes longer than making them.
struct Rendered {
    text: Vec<u8>,
    printed: Result<()>,
    complaints: Vec<String>,
    is_whole: bool,
}

impl Rendered {
    fn of(world: &World, row: Row, encoding: &Encoding) -> Self {
        let mut text = Vec::new();
        let printed = print(world, &row, encoding, &mut text);
        Self { text, printed, is_whole: row.is_whole(), complaints: row.complaints() }
    }
}

fn print(world: &World, row: &Row, encoding: &Encoding, out: &mut dyn Write) -> Result<()> {
    match encoding {
        Encoding::Text { header } => Ok(text::report(row, *header, out)?),
        Encoding::Json { with_name } => json::line(row, *with_name, out),
        Encoding::Csv { columns } => csv::line(row, columns, out),
        Encoding::Value(flag) => {
            let Some(value) = row.values.get(flag.as_str()) else {
                return Err(encoding::no_such_status(world, flag, row));
            };
            Ok(writeln!(out, "{value}")?)
        }
    }
}
