//! What an app has after `apply`: the declared types, and those that are not declared but must not be ended.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use formation::{AppName, FIRST_TYPE, ProcessType, RELEASE};
use procfile::Procfile;
use procfile_exchange::compose::Build;
use ps_apps::{DeclarationRecord, StoredFormation, World, state_file};
use ps_cli::say;

use super::declaration::{Composition, Declaration};
use super::files::Files;
use super::variables;
use crate::args::ApplyArgs;

/// What the app is to have.
#[derive(Debug, Default)]
pub(super) struct Merged {
    /// Empty for a Compose file.
    pub(super) files: Files,
    /// Every type, in its order.
    pub(super) types: Vec<ProcessType>,
    /// Types that are not declared and stay as they are.
    pub(super) stays: Vec<ProcessType>,
    /// Types that are taken from the declaration.
    declared: Vec<ProcessType>,
    /// Types that end because the declaration that made them does not name them any more.
    pub(super) pruned: Vec<ProcessType>,
    counts: BTreeMap<String, String>,
    starts_one: bool,
    /// The types that alone are asked for; none: all.
    pub(super) only: Vec<ProcessType>,
    /// The image of each service, or what it is built from, as it is recorded and compared.
    pub(super) images: BTreeMap<String, String>,
    /// The same for people.
    pub(super) shown: BTreeMap<String, String>,
}

/// The known record, the declaration, and the arguments.
type Asked<'a> = (&'a DeclarationRecord, &'a Declaration, &'a ApplyArgs);

/// The files of a declaration with what stays of the app.
pub(super) fn with_what_stays(
    world: &World,
    app: &AppName,
    files: &Files,
    (known, declaration, args): Asked<'_>,
) -> Result<Merged> {
    let named = files.types()?;
    if let Some(missing) = args.only.iter().find(|only| !named.contains(only)) {
        bail!("--only {missing}: {} does not declare it", declaration.id);
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

/// What a service is built from, with what is not usual about it. The values of arguments may be secrets.
fn shown_build(build: &Build) -> String {
    let mut shown = vec![format!("built from {}", build.directory)];
    if build.dockerfile != "Dockerfile" {
        shown.push(format!("with {}", build.dockerfile));
    }
    if !build.target.is_empty() {
        shown.push(format!("target {}", build.target));
    }
    if !build.arguments.is_empty() {
        let names: Vec<&str> = build.arguments.keys().map(String::as_str).collect();
        shown.push(format!("arguments {}", names.join(" ")));
    }
    shown.join(", ")
}

/// The services of a Compose file. They are deployed as the file has them, so none may be missing there.
pub(super) fn services(
    world: &World,
    app: &AppName,
    composition: &Composition,
    (known, declaration, args): Asked<'_>,
) -> Result<Merged> {
    let services = &composition.composed.services;
    let mut merged = Merged::default();
    for service in services {
        let name = service.process_type.to_string();
        merged.types.push(service.process_type.clone());
        merged.counts.extend(service.replicas.map(|count| (name.clone(), count.to_string())));
        let build = service.build.as_ref().map(|build| {
            format!("build {} {} {} {:?}", build.directory, build.dockerfile, build.target, build.arguments)
        });
        let shown = service.build.as_ref().map(shown_build).or_else(|| service.image.clone());
        merged.shown.insert(name.clone(), shown.unwrap_or_default());
        merged.images.insert(name, build.or_else(|| service.image.clone()).unwrap_or_default());
    }
    merged.declared.clone_from(&merged.types);
    let gone = world.source_record(app)?.services;
    let gone = gone.keys().filter_map(|name| name.parse::<ProcessType>().ok());
    for process_type in gone.filter(|process_type| !merged.types.contains(process_type)) {
        let is_own = known.types.get(process_type.as_str()) == Some(&declaration.id);
        match (is_own, args.prune) {
            (true, true) => merged.pruned.push(process_type),
            (true, false) => bail!(
                "{process_type} is not declared any more, and a service cannot be kept without its file: --prune ends it"
            ),
            (false, _) => bail!(
                "{app} has a service {process_type} that {} has not made: --app names another app",
                declaration.id
            ),
        }
    }
    Ok(merged)
}

impl Merged {
    /// The counts that are asked for, in the words of `ps-scale`.
    pub(super) fn counts(&self, world: &World, app: &AppName) -> Result<Vec<String>> {
        let stored = if world.is_app(app)? { world.formation(app)? } else { StoredFormation::of_a_new_app() };
        let stored = stored.effective();
        let is_deployed = world.deploy_source(app)?.is_some();
        let mut words = Vec::new();
        for process_type in &self.declared {
            let name = process_type.as_str();
            // Every new app has web=1 by default, which does not count as a stored wish.
            let is_stored = stored.contains_key(name) && (is_deployed || name != FIRST_TYPE);
            match self.counts.get(name) {
                Some(count) => words.push(format!("{name}={count}")),
                None if self.starts_one && !is_stored && name != RELEASE => words.push(format!("{name}=1")),
                None => {}
            }
        }
        Ok(words)
    }

    /// The types that a variable is for or was for, by the declaration and by what was known; `None`: all.
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

    /// What declarations have made of the app afterwards.
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

/// What was recorded of the last deploy, if it runs natively.
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

/// The line of each type.
fn lines(procfile: &Procfile) -> Vec<(ProcessType, Vec<u8>)> {
    let line = |entry: &procfile::Entry<'_>| [entry.name.as_bytes(), b": ", entry.command, b"\n"].concat();
    procfile.entries().map(|entry| (entry.process_type(), line(&entry))).collect()
}

fn find(lines: &[(ProcessType, Vec<u8>)], process_type: &ProcessType) -> Option<Vec<u8>> {
    lines.iter().find(|(name, _)| name == process_type).map(|(_, line)| line.clone())
}

/// Says which types are not declared any more and stay, and what ends them.
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
