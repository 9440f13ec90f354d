//! How many instances of each type run: `--formation`, else the formation of app.json, else DOKKU_SCALE, else one of each
//! type but `release`. Types named on the command line select among them. A note names the types that are left out.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use app_json::{AppJson, Remark};
use durable::ReadError;
use formation::{ProcessType, Quantity, RELEASE};
use procfile::MAX_FILE_BYTES;
use ps_apps::{AskedCount, DOKKU_SCALE, OfferedCounts, Scaling, StoredFormation, parse_dokku_scale};
use ps_cli::exit::Refusal;

pub(crate) const APP_JSON: &str = "app.json";
const ALL: &str = "all";
const START: &str = "start";

/// The counts, and notes for people.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) of: BTreeMap<String, u16>,
    pub(crate) notes: Vec<String>,
}

/// The counts and types on the command line.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    /// `--formation`.
    pub(crate) formation: &'a [(String, Quantity)],
    /// The types that were named.
    pub(crate) types: &'a [String],
}

impl Counts {
    /// The counts for the types of a Procfile, in its order. `root` is the directory of app.json and DOKKU_SCALE.
    pub(crate) fn decide(asked: &Asked<'_>, known: &[ProcessType], root: &Path) -> Result<Self> {
        let named = asked.formation.iter().map(|(name, _)| name).filter(|name| *name != ALL);
        for name in asked.types.iter().chain(named) {
            if !known.iter().any(|known| known.as_str() == name) {
                return Err(unknown(name, known));
            }
        }
        let mut notes = Vec::new();
        let (mut counts, source) = if asked.formation.is_empty() {
            of_files(root, &mut notes)?
                .map_or_else(|| (one_of_each(known), None), |(counts, file)| (counts, Some(file)))
        } else {
            (of_formation(asked.formation, known)?, Some("--formation"))
        };
        counts.retain(|name, _| known.iter().any(|known| known.as_str() == name));
        if !asked.types.is_empty() {
            let is_asked = |name: &str| asked.types.iter().any(|asked| asked == name);
            let one_at_least = |name: &String| (name.clone(), counts.get(name).copied().unwrap_or(1).max(1));
            return Ok(Self {
                of: asked.types.iter().filter(|name| is_asked(name)).map(one_at_least).collect(),
                notes,
            });
        }
        let idle = |name: &&str| *name != RELEASE && counts.get(*name).is_none_or(|count| *count == 0);
        let idle: Vec<&str> = known.iter().map(ProcessType::as_str).filter(idle).collect();
        let not_started = source
            .filter(|_| !idle.is_empty())
            .map(|source| format!("{source} has no instance of {}: not started", idle.join(", ")));
        notes.extend(not_started);
        Ok(Self { notes, of: counts })
    }
}

/// The types that were named on the command line. foreman, honcho and overmind start with the word `start`, so a leading
/// `start` is ignored, unless the Procfile has a type of that name.
pub(crate) fn named<'a>(words: &'a [String], known: &[ProcessType]) -> &'a [String] {
    match words {
        [first, rest @ ..] if first == START && !known.iter().any(|known| known.as_str() == START) => rest,
        _ => words,
    }
}

/// The error for a word that is no type.
pub(crate) fn unknown(name: &str, known: &[ProcessType]) -> anyhow::Error {
    let there: Vec<&str> = known.iter().map(ProcessType::as_str).collect();
    let near = there.iter().find(|there| strsim::damerau_levenshtein(name, there) <= 2);
    let hint = match near {
        _ if Path::new(name).is_file() => format!(" (-f {name} runs the Procfile of that name)"),
        _ if Path::new(name).is_dir() => format!(" (write ./{name} if you mean the directory)"),
        Some(near) if !name.contains('=') => format!(" (did you mean {near}?)"),
        _ if name.contains('=') => format!(" (counts are given with -m {name})"),
        _ => String::new(),
    };
    Refusal::failed(format!("the Procfile has no type {name}: there are {}{hint}", there.join(", ")))
}

fn one_of_each(known: &[ProcessType]) -> BTreeMap<String, u16> {
    known.iter().map(|name| (name.to_string(), u16::from(name.as_str() != RELEASE))).collect()
}

fn of_formation(asked: &[(String, Quantity)], known: &[ProcessType]) -> Result<BTreeMap<String, u16>> {
    let mut counts = BTreeMap::new();
    let all = asked.iter().find(|(name, _)| name == ALL).map_or(0, |(_, count)| count.get());
    for name in known.iter().filter(|name| name.as_str() != RELEASE) {
        counts.insert(name.to_string(), all);
    }
    let mut seen = Vec::new();
    for (name, count) in asked {
        if seen.contains(&name) {
            return Err(Refusal::usage(format!("--formation names {name} twice")));
        }
        seen.push(name);
        if name != ALL {
            counts.insert(name.clone(), count.get());
        }
    }
    Ok(counts)
}

/// Reads app.json; a directory without the file gives an empty one.
pub(crate) fn app_json(root: &Path) -> Result<AppJson> {
    AppJson::parse(&read(root, APP_JSON)?).context(APP_JSON)
}

/// The bytes of a file; empty if the file does not exist.
fn read(root: &Path, name: &str) -> Result<Vec<u8>> {
    match durable::input(&root.join(name), MAX_FILE_BYTES as u64) {
        Ok(bytes) => Ok(bytes),
        Err(ReadError::Missing) => Ok(Vec::new()),
        Err(error) => bail!("{}: {error}", root.join(name).display()),
    }
}

/// The counts of the first file that has some, and its name. A misspelt formation is noted.
fn of_files(root: &Path, notes: &mut Vec<String>) -> Result<Option<(BTreeMap<String, u16>, &'static str)>> {
    let app_json = app_json(root)?;
    let is_slip = |remark: &&Remark| {
        !matches!(remark, Remark::Unread { .. }) && remark.place().starts_with("formation")
    };
    notes.extend(app_json.remarks().iter().filter(is_slip).map(|remark| format!("{APP_JSON}: {remark}")));
    let app_json = app_json.formation().context(APP_JSON)?;
    let app_json = app_json.iter().map(|(name, count)| AskedCount::exactly(name, *count)).collect();
    let dokku_scale = parse_dokku_scale(&read(root, DOKKU_SCALE)?)?;
    let offered = OfferedCounts { arguments: Vec::new(), app_json, dokku_scale };
    let rule = Scaling {
        asked: &[],
        replaces: false,
        known: None,
        compose: None,
        max: Quantity::ONE,
        may_scale_release: true,
    };
    let (formation, source) = offered.apply(rule, &StoredFormation::default())?;
    let count = |(name, count): (&str, i64)| (name.to_owned(), u16::try_from(count).unwrap_or(0));
    let counts = formation.effective().into_iter().map(count).filter(|(name, _)| name != RELEASE);
    Ok(source.map(|source| (counts.collect(), source.as_str())))
}
