//! The types of an app after `apply`: the declared ones, and those that are not declared but must not end.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use formation::{AppName, FIRST_TYPE, ProcessType, RELEASE};
use procfile::Procfile;
use procfile_exchange::instead_of;
use ps_apps::{DeclarationRecord, StoredFormation, World, state_file};
use ps_cli::say;

use super::declaration::Declaration;
use super::files::Files;
use super::variables;
use crate::args::ApplyArgs;

/// The types of the app after `apply`, with their files and counts.
#[derive(Debug, Default)]
pub(super) struct Merged {
    /// The Procfile and the files beside it; empty for a Compose file.
    pub(super) files: Files,
    /// Every type, in the order of the Procfile.
    pub(super) types: Vec<ProcessType>,
    /// Types that are not declared and stay as they are.
    pub(super) stays: Vec<ProcessType>,
    /// Types that are taken from the declaration.
    pub(super) declared: Vec<ProcessType>,
    /// Types that end because the declaration that made them does not name them any more.
    pub(super) pruned: Vec<ProcessType>,
    pub(super) counts: BTreeMap<String, String>,
    starts_one: bool,
    /// The types that `--only` selects; empty: all.
    pub(super) only: Vec<ProcessType>,
    /// The image of each service, or the description of its build, in the form in which it is recorded and compared.
    pub(super) images: BTreeMap<String, String>,
    /// The same in the form in which it is printed.
    pub(super) shown: BTreeMap<String, String>,
}

/// The app's declaration record, the new declaration, and the arguments.
pub(super) type Asked<'a> = (&'a DeclarationRecord, &'a Declaration, &'a ApplyArgs);

/// The files of a declaration, with those types of the app that stay although they are not declared.
pub(super) fn with_what_stays(
    world: &World,
    app: &AppName,
    files: &Files,
    (known, declaration, args): Asked<'_>,
) -> Result<Merged> {
    let named = files.types()?;
    if let Some(missing) = args.only.iter().find(|only| !named.contains(only)) {
        let names: Vec<&str> = named.iter().map(ProcessType::as_str).collect();
        let known = instead_of(missing.as_str(), &names);
        bail!("--only {missing}: {} does not declare it, but {known}", declaration.id);
    }
    let is_taken = |process_type: &ProcessType| args.only.is_empty() || args.only.contains(process_type);
    let earlier = Earlier::read(world, app)?;
    let (mut procfile, mut of_old) = (Vec::new(), BTreeSet::new());
    let mut merged = Merged { starts_one: files.starts_one, only: args.only.clone(), ..Merged::default() };
    for (process_type, line) in lines(&files.parsed()?) {
        if is_taken(&process_type) {
            merged.declared.push(process_type.clone());
            procfile.push(line);
        } else if let Some(line) = find(&earlier.lines, &process_type) {
            of_old.insert(process_type.clone());
            procfile.push(line);
        } else {
            continue;
        }
        merged.types.push(process_type);
    }
    for (process_type, line) in earlier.lines {
        if named.contains(&process_type) {
            continue;
        }
        let is_own = known.types.get(process_type.as_str()) == Some(&declaration.id);
        if args.prune && is_own {
            merged.pruned.push(process_type);
            continue;
        }
        procfile.push(line);
        of_old.insert(process_type.clone());
        merged.types.push(process_type.clone());
        merged.stays.push(process_type);
    }
    merged.counts = files.counts.clone();
    merged.counts.retain(|name, _| merged.declared.iter().any(|declared| declared.as_str() == name));
    merged.files = files.clone();
    if !args.only.is_empty() {
        variables::narrow(world, app, &mut merged.files, (&known.variables, &args.only))?;
    }
    if !of_old.is_empty() || merged.types.len() != named.len() {
        merged.files.procfile = procfile.concat();
        // Types that are declared but not selected keep their earlier entries in app.json.
        of_old.extend(named.into_iter().filter(|process_type| !merged.types.contains(process_type)));
        merged.files.app_json =
            app_json::with_types_of(files.app_json.as_deref(), earlier.app_json.as_deref(), &of_old)?;
    }
    Ok(merged)
}

impl Merged {
    /// The counts to be set, in the words of `ps-scale`.
    pub(super) fn counts(&self, world: &World, app: &AppName) -> Result<Vec<String>> {
        let stored = if world.is_app(app)? { world.formation(app)? } else { StoredFormation::of_a_new_app() };
        let stored = stored.effective();
        let is_deployed = world.deploy_source(app)?.is_some();
        let mut words = Vec::new();
        for process_type in &self.declared {
            let name = process_type.as_str();
            // Every new app has web=1 by default, so that count of an app that was never deployed is nobody's choice.
            let is_stored = stored.contains_key(name) && (is_deployed || name != FIRST_TYPE);
            match self.counts.get(name) {
                Some(count) => words.push(format!("{name}={count}")),
                None if self.starts_one && !is_stored && name != RELEASE => words.push(format!("{name}=1")),
                None => {}
            }
        }
        Ok(words)
    }

    /// The types that a variable is for or was for, by the declaration and by the record; `None`: all.
    pub(super) fn types_of_variable(
        &self,
        known: &DeclarationRecord,
        name: &str,
    ) -> Option<BTreeSet<ProcessType>> {
        let of = [&self.files.variables, &known.variables].map(|variables| variables.get(name));
        let is_of_all = of.iter().flatten().any(|types| types.is_empty());
        let names = of.into_iter().flatten().flatten().filter_map(|name| name.parse().ok());
        let types: BTreeSet<ProcessType> = names.filter(|_| !is_of_all).collect();
        (!types.is_empty()).then_some(types)
    }

    /// The app's declaration record after this `apply`.
    pub(super) fn record(
        &self,
        mut known: DeclarationRecord,
        declaration: &Declaration,
    ) -> DeclarationRecord {
        known.types.retain(|name, _| self.types.iter().any(|process_type| process_type.as_str() == name));
        for process_type in &self.declared {
            known.types.insert(process_type.to_string(), declaration.id.clone());
        }
        known.images.clone_from(&self.images);
        if self.files.environment.is_some() {
            known.variables.clone_from(&self.files.variables);
        }
        known
    }
}

/// The files of the last deploy, if the app runs natively.
#[derive(Default)]
struct Earlier {
    lines: Vec<(ProcessType, Vec<u8>)>,
    app_json: Option<Vec<u8>>,
}

impl Earlier {
    fn read(world: &World, app: &AppName) -> Result<Self> {
        let is_native = matches!(ps_release::recorded(world, app)?, Some(ps_release::Source::Directory(_)));
        if !is_native {
            return Ok(Self::default());
        }
        let path = world.procfile_path(app);
        let Some(procfile) = state_file::read(&path, true)? else { return Ok(Self::default()) };
        let procfile = Procfile::parse(&procfile).with_context(|| path.display().to_string())?;
        Ok(Self { lines: lines(&procfile), app_json: state_file::read(&world.app_json_path(app), true)? })
    }
}

/// The Procfile line of each type.
fn lines(procfile: &Procfile) -> Vec<(ProcessType, Vec<u8>)> {
    let line = |entry: &procfile::Entry<'_>| [entry.name.as_bytes(), b": ", entry.command, b"\n"].concat();
    procfile.entries().map(|entry| (entry.process_type(), line(&entry))).collect()
}

fn find(lines: &[(ProcessType, Vec<u8>)], process_type: &ProcessType) -> Option<Vec<u8>> {
    lines.iter().find(|(name, _)| name == process_type).map(|(_, line)| line.clone())
}

/// Prints which types are no longer declared and stay, and how to end them.
pub(super) fn say_what_stays(
    app: &AppName,
    merged: &Merged,
    (known, declaration): (&DeclarationRecord, &Declaration),
) {
    for process_type in &merged.stays {
        let is_own = known.types.get(process_type.as_str()) == Some(&declaration.id);
        let way_out = if is_own { "--prune".to_owned() } else { format!("ps-scale {app} {process_type}=0") };
        say::warning(&format!("{app}: {process_type} is not declared and stays: {way_out} ends it"));
    }
}
