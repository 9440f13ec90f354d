//! The form in which the report is printed, and the refusals about `--format` and info flags, which inside Dokku use
//! Dokku's words.

use anyhow::Result;
use ps_apps::World;
use ps_cli::exit::Refusal;
use ps_cli::say;

use crate::args::Args;
use crate::csv;
use crate::flags::{self, STATUS};
use crate::row::Row;
use crate::subjects::Subjects;

/// The form in which the report is printed.
#[derive(Debug)]
pub(crate) enum Encoding {
    /// Only the value of this info flag.
    Value(String),
    /// Text for people.
    Text {
        /// Whether a header line stands above each app.
        header: bool,
    },
    /// One JSON object per line.
    Json {
        /// Whether each object has the key `app`.
        with_name: bool,
    },
    /// A table with a header line.
    Csv {
        /// Its columns.
        columns: Vec<String>,
    },
}

impl Encoding {
    /// The info flag that is wanted; `None` for all values.
    pub(crate) fn flag(&self) -> Option<&str> {
        match self {
            Self::Value(flag) => Some(flag),
            _ => None,
        }
    }
}

/// Chooses the form, or refuses the arguments: with exit status 2, or with 1 inside Dokku where Dokku has its own
/// message.
pub(crate) fn resolve(world: &World, args: &Args, subjects: &Subjects) -> Result<Encoding> {
    let encoding = format(world, args)?;
    if args.columns.is_some() && !matches!(encoding, Encoding::Csv { .. }) {
        return Err(Refusal::usage("--columns chooses columns of a table: add --format csv"));
    }
    match &args.info_flags[..] {
        [] => Ok(encoding),
        [flag, ..] if !matches!(encoding, Encoding::Text { .. }) => Err(refusal(
            world,
            "--format flag cannot be specified when specifying an info flag",
            format!("{flag} prints one bare value: leave out --format"),
        )),
        [flag, ..] => {
            check(world, flag, subjects)?;
            Ok(Encoding::Value(flag.clone()))
        }
    }
}

/// Two info flags are wrong usage, whatever the other arguments are. Dokku prints nothing in that case.
pub(crate) fn refuse_two_flags(args: &Args) -> Result<()> {
    match &args.info_flags[..] {
        [first, second, ..] => {
            Err(Refusal::usage(format!("one info flag at a time: {first} and {second} were given")))
        }
        _ => Ok(()),
    }
}

/// The refusal of a flag `--status-…` that an app does not have. It names the flags that the app has.
pub(crate) fn no_such_status(world: &World, flag: &str, row: &Row) -> anyhow::Error {
    let present = row.values.keys().map(|flag| &**flag).filter(|flag| flag.starts_with(STATUS));
    unknown_flag(world, flag, of_apps(world).chain(present).collect())
}

fn unknown_flag(world: &World, flag: &str, mut known: Vec<&str>) -> anyhow::Error {
    known.sort_unstable();
    let known = known.join(", ");
    refusal(
        world,
        &format!("Invalid flag passed, valid flags: {known}"),
        format!("there is no info flag {flag}; the info flags are: {known}"),
    )
}

fn check(world: &World, flag: &str, subjects: &Subjects) -> Result<()> {
    let known: Vec<&str> = match subjects {
        Subjects::Global => flags::of_global().map(|(name, _)| name).collect(),
        Subjects::Apps(_) if flag.starts_with(STATUS) => return Ok(()),
        Subjects::Apps(_) => of_apps(world).collect(),
    };
    if known.contains(&flag) { Ok(()) } else { Err(unknown_flag(world, flag, known)) }
}

/// The info flags of an app, except those of its instances.
fn of_apps<'a>(world: &World) -> impl Iterator<Item = &'a str> + use<'a> {
    let ours = (!world.inside_dokku()).then_some(flags::LISTEN);
    flags::OF_APPS.iter().map(|(name, _)| *name).chain(ours)
}

fn format(world: &World, args: &Args) -> Result<Encoding> {
    let watched = args.watch.is_some() && !std::io::IsTerminal::is_terminal(&std::io::stdout());
    let default = if args.json {
        "json"
    } else if watched {
        "jsonl"
    } else {
        "text"
    };
    match args.format.as_deref().filter(|word| !word.is_empty()).unwrap_or(default) {
        "text" | "stdout" => Ok(Encoding::Text { header: !(args.quiet || say::quiet()) }),
        "json" => Ok(Encoding::Json { with_name: !world.inside_dokku() }),
        "jsonl" => Ok(Encoding::Json { with_name: true }),
        "csv" => Ok(Encoding::Csv { columns: csv::columns(args.columns.as_deref())? }),
        other => Err(refusal(
            world,
            &format!("Format must be \"stdout\" or \"json\": {other:?}"),
            format!("there is no format {other:?}: use text, json, jsonl or csv"),
        )),
    }
}

fn refusal(world: &World, dokkus: &str, ours: String) -> anyhow::Error {
    if world.inside_dokku() { Refusal::failed(dokkus) } else { Refusal::usage(ours) }
}
