//! How many instances of each type run: `--formation`, else the formation of app.json, else DOKKU_SCALE, else one of each
//! but `release`. Types named on the command line choose among them. Who is left out is said.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use procfile::{ProcessType, Quantity};
use ps_apps::{AskedCount, DOKKU_SCALE, OfferedCounts, Scaling, StoredFormation, parse_dokku_scale};
use ps_cli::exit::Refusal;

const APP_JSON: &str = "app.json";
const RELEASE: &str = "release";
const ALL: &str = "all";

/// How many of each type, and what is to be said about it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) of: BTreeMap<String, u16>,
    pub(crate) notes: Vec<String>,
}

/// What was asked for on the command line.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    /// `--formation`.
    pub(crate) formation: &'a [(String, Quantity)],
    /// The named types.
    pub(crate) types: &'a [String],
}

impl Counts {
    /// The counts for the types of a Procfile in its order; `root` is where app.json and DOKKU_SCALE lie.
    pub(crate) fn decide(asked: &Asked<'_>, known: &[ProcessType], root: &Path) -> Result<Self> {
        let named = asked.formation.iter().map(|(name, _)| name).filter(|name| *name != ALL);
        for name in asked.types.iter().chain(named) {
            if !known.iter().any(|known| known.as_str() == name) {
                return Err(unknown(name, known));
            }
        }
        let (mut counts, source) = if asked.formation.is_empty() {
            of_files(root)?.map_or_else(|| (one_of_each(known), None), |(counts, file)| (counts, Some(file)))
        } else {
            (of_formation(asked.formation, known)?, Some("--formation"))
        };
        counts.retain(|name, _| known.iter().any(|known| known.as_str() == name));
        if !asked.types.is_empty() {
            let is_asked = |name: &str| asked.types.iter().any(|asked| asked == name);
            let one_at_least = |name: &String| (name.clone(), counts.get(name).copied().unwrap_or(1).max(1));
            return Ok(Self {
                of: asked.types.iter().filter(|name| is_asked(name)).map(one_at_least).collect(),
                notes: vec![],
            });
        }
        let idle = |name: &&str| *name != RELEASE && counts.get(*name).is_none_or(|count| *count == 0);
        let idle: Vec<&str> = known.iter().map(ProcessType::as_str).filter(idle).collect();
        let notes = source
            .filter(|_| !idle.is_empty())
            .map(|source| format!("{source} has no instance of {}: not started", idle.join(", ")));
        Ok(Self { notes: notes.into_iter().collect(), of: counts })
    }
}

/// The refusal of a word that is no type.
pub(crate) fn unknown(name: &str, known: &[ProcessType]) -> anyhow::Error {
    let there: Vec<&str> = known.iter().map(ProcessType::as_str).collect();
    let near = there.iter().find(|there| strsim::damerau_levenshtein(name, there) <= 2);
    let hint = match near {
        _ if Path::new(name).is_dir() => format!(" (write ./{name} if you mean the directory)"),
        Some(near) => format!(" (did you mean {near}?)"),
        None if name == "start" => " (without words every type is started)".to_owned(),
        None => String::new(),
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

/// The counts of the file that has some, and its name.
fn of_files(root: &Path) -> Result<Option<(BTreeMap<String, u16>, &'static str)>> {
    let read = |name: &str| match fs::read(root.join(name)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("read {}", root.join(name).display())),
    };
    let app_json = read(APP_JSON)?.map(|bytes| app_json_counts(&bytes)).transpose()?.unwrap_or_default();
    let dokku_scale =
        read(DOKKU_SCALE)?.map(|bytes| parse_dokku_scale(&bytes)).transpose()?.unwrap_or_default();
    let offered = OfferedCounts { arguments: Vec::new(), app_json, dokku_scale };
    let rule =
        Scaling { asked: &[], replaces: false, known: None, max: Quantity::ONE, may_scale_release: true };
    let (formation, source) = offered.apply(rule, &StoredFormation::default())?;
    let count = |(name, count): (&str, i64)| (name.to_owned(), u16::try_from(count).unwrap_or(0));
    let counts = formation.effective().into_iter().map(count).filter(|(name, _)| name != RELEASE);
    Ok(source.map(|source| (counts.collect(), source.as_str())))
}

fn app_json_counts(bytes: &[u8]) -> Result<Vec<AskedCount>> {
    let text = std::str::from_utf8(bytes).context("app.json is not UTF-8")?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let value: Option<serde_json::Value> =
        jsonc_parser::parse_to_serde_value(text, &jsonc_parser::ParseOptions::default()).context(APP_JSON)?;
    let value = value.unwrap_or_default();
    let formation = value.get("formation").and_then(serde_json::Value::as_object);
    let quantities =
        formation.into_iter().flatten().filter_map(|(name, entry)| Some((name, entry.get("quantity")?)));
    let mut counts = Vec::new();
    for (name, quantity) in quantities.filter(|(_, quantity)| !quantity.is_null()) {
        let count = quantity
            .as_u64()
            .ok_or_else(|| anyhow!("app.json, formation.{name}.quantity: a whole number is wanted"))?;
        counts.push(AskedCount::parse(&format!("{name}={count}")).context("app.json, formation")?);
    }
    Ok(counts)
}
