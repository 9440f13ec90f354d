//! The variables that declarations have set for an app. They are between two marker lines of its env file; lines outside of these belong to
//! others.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use formation::{AppName, ProcessType};
use procfile::EnvFile;
use ps_apps::{World, state_file};

use super::files::Files;

const BEGIN: &str = "# what apply has declared begins here";
const END: &str = "# what apply has declared ends here";

/// The types that each variable is for; an empty set: all types.
type Owners = BTreeMap<String, BTreeSet<String>>;

/// The app's env file after `apply`.
#[derive(Debug)]
pub(super) struct Environment {
    pub(super) bytes: Vec<u8>,
    /// The names of the variables that differ.
    pub(super) differing: Vec<String>,
}

impl Environment {
    /// The app's env file with the declared variables; `None` if it does not change. If `declared` is `None`, the format of the declaration
    /// has no variables.
    pub(super) fn find(world: &World, app: &AppName, declared: Option<&[u8]>) -> Result<Option<Self>> {
        let Some(declared) = declared else { return Ok(None) };
        let path = world.env_path(app);
        let now = state_file::read(&path, true)?.unwrap_or_default();
        let (_, mut bytes) = divided(&now);
        if !declared.is_empty() {
            let block = [BEGIN.as_bytes(), b"\n", declared, END.as_bytes(), b"\n"].concat();
            bytes.extend(block);
        }
        let parse = |bytes: &[u8]| EnvFile::parse(bytes).with_context(|| path.display().to_string());
        let (before, after) = (parse(&now)?, parse(&bytes)?);
        let names: BTreeSet<&[u8]> =
            before.iter_bytes().chain(after.iter_bytes()).map(|(name, _)| name).collect();
        let is_other = |name: &&&[u8]| before.get_bytes(name) != after.get_bytes(name);
        let differing: Vec<String> =
            names.iter().filter(is_other).map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        Ok((!differing.is_empty()).then_some(Self { bytes, differing }))
    }
}

/// With `--only`: variables that were declared only for types that are not selected stay as they are, and new ones of that kind are not
/// added. `known` has the types for which the app's present variables were declared.
pub(super) fn narrow(
    world: &World,
    app: &AppName,
    files: &mut Files,
    (known, only): (&Owners, &[ProcessType]),
) -> Result<()> {
    let Some(declared) = &files.environment else { return Ok(()) };
    let is_meant = |owners: &Owners, name: &str| {
        let of = owners.get(name);
        of.is_none_or(|of| of.is_empty() || only.iter().any(|one| of.contains(one.as_str())))
    };
    let path = world.env_path(app);
    let (now, _) = divided(&state_file::read(&path, true)?.unwrap_or_default());
    let mut entries = entries(declared).context("the declared variables")?;
    entries.retain(|name, _| is_meant(&files.variables, name));
    files.variables.retain(|name, _| entries.contains_key(name));
    for (name, line) in self::entries(&now).with_context(|| path.display().to_string())? {
        if !is_meant(known, &name) && !entries.contains_key(&name) {
            files.variables.extend(known.get(&name).map(|of| (name.clone(), of.clone())));
            entries.insert(name, line);
        }
    }
    files.environment = Some(entries.into_values().collect::<Vec<_>>().concat());
    Ok(())
}

/// The lines of each variable of an env file.
fn entries(file: &[u8]) -> Result<BTreeMap<String, Vec<u8>>> {
    let parsed = EnvFile::parse(file)?;
    let mut begins: Vec<(usize, String)> = parsed
        .iter_bytes()
        .filter_map(|(name, _)| Some((parsed.line_of(name)?, String::from_utf8_lossy(name).into_owned())))
        .collect();
    begins.sort();
    let lines: Vec<&[u8]> = file.split_inclusive(|byte| *byte == b'\n').collect();
    let ends = begins.iter().skip(1).map(|(line, _)| line - 1).chain([lines.len()]);
    let of = |((begin, name), end): (&(usize, String), usize)| (name.clone(), lines[begin - 1..end].concat());
    Ok(begins.iter().zip(ends).map(of).collect())
}

/// The lines between the two markers of an env file, and the lines outside of them.
fn divided(file: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (mut is_declared, mut declared, mut others) = (false, Vec::new(), Vec::new());
    for line in file.split_inclusive(|byte| *byte == b'\n') {
        let text = line.trim_ascii_end();
        if text == BEGIN.as_bytes() {
            is_declared = true;
        } else if text == END.as_bytes() {
            is_declared = false;
        } else if is_declared {
            declared.extend_from_slice(line);
        } else {
            others.extend_from_slice(line);
        }
    }
    if !others.is_empty() && !others.ends_with(b"\n") {
        others.push(b'\n');
    }
    (declared, others)
}
