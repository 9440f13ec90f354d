//! Puts a release together from the files and properties of an app.

use std::collections::BTreeSet;

use app_json::{AppJson, HealthCheck, Kind};
use env_files::Environment as Variables;
use formation::{AppName, FIRST_TYPE, Formation, ProcessType, Quantity};
use procfile::Procfile;
use ps_apps::{OfSource, StoredFormation, World, heeded, state_file};
use type_settings::{Checking, Disorder};

use crate::address::Reached;
use crate::error::Broken;
use crate::tasks::{self, Task};
use crate::{
    Ask, Check, Checks, DOCKERFILE_START_CMD, Error, Gate, Get, Process, Release, START_CMD, Scheme, Source,
    checkout, environment, services, settings,
};

/// A release, and warnings about the env files that it was made from: one line each, with the file and its line.
#[derive(Debug)]
pub struct Assembled {
    /// The release.
    pub release: Release,
    /// Warnings about the environment.
    pub warnings: Vec<String>,
}

/// The part of a formation that a release can run.
#[derive(Debug)]
pub struct Runnable {
    /// The counts by process type.
    pub formation: Formation,
    /// Types that are wanted but that the Procfile does not have.
    pub skipped: Vec<ProcessType>,
}

/// The release that was deployed last; `None` if there was no deploy.
pub fn deployed(world: &World, app: &AppName) -> Result<Option<Assembled>, Error> {
    let Some(source) = checkout::recorded(world, app)? else { return Ok(None) };
    let procfile = state_file::read(&world.procfile_path(app), true)?;
    let procfile = procfile.map(|bytes| Procfile::parse(&bytes)).transpose();
    let procfile = match (&source, procfile) {
        // An app that is run from a directory always has a recorded Procfile, so it has been removed.
        (Source::Directory(_), Ok(None)) => Err(Broken::Missing),
        (_, read) => read.map_err(Broken::from),
    };
    let bad = |path, source| Error::BadRecord { path, app: app.to_string(), source };
    let procfile = procfile.map_err(|broken| bad(world.procfile_path(app), broken))?;
    let app_json = settings::recorded(world, app)?;
    // A deploy by an earlier version may have ignored problems of the file. They must not keep the app from being started again.
    put_together(world, app, source, procfile.as_ref(), &app_json).map(Some)
}

/// Makes a release of `source` from these files and from the app's properties and environment.
pub fn assemble(
    world: &World,
    app: &AppName,
    source: Source,
    procfile: Option<&Procfile>,
    app_json: &AppJson,
) -> Result<Assembled, Error> {
    for process in procfile.iter().flat_map(|procfile| procfile.entries()) {
        let process_type = process.process_type();
        app_json.settings(process_type.as_str()).map_err(Error::BadAppJson)?;
    }
    let assembled = put_together(world, app, source, procfile, app_json)?;
    for process in &assembled.release.processes {
        app_json.judge_checks(process.process_type.as_str()).map_err(Error::BadAppJson)?;
        if let Some(what) = process.settings.contradiction() {
            return Err(Error::Contradiction { process_type: process.process_type.clone(), what });
        }
    }
    if let Some(Disorder { process_type, what }) = assembled.release.disorder() {
        return Err(Error::Contradiction { process_type, what });
    }
    Ok(assembled)
}

fn put_together(
    world: &World,
    app: &AppName,
    source: Source,
    procfile: Option<&Procfile>,
    app_json: &AppJson,
) -> Result<Assembled, Error> {
    let knows_all_types = procfile.is_some() || !matches!(source, Source::Image(_));
    let mut processes = types(&source, procfile)?;
    if let Some(command) = start_command(world, app, &source)? {
        replace_first(&mut processes, command, knows_all_types);
    }
    let stored = world.stored_settings(app)?;
    if !knows_all_types {
        let set = stored.types().chain(app_json.types_with_settings());
        add_types(&mut processes, set.chain(app_json.checked_types()).chain(app_json.formation_types()));
    }
    complete(&mut processes, &source, procfile, app_json);
    let tasks = if is_run_here(world, &source) { tasks::of(app_json, &processes)? } else { Vec::new() };
    for Task { process_type, command, settings } in tasks {
        let mut process = Process::new(process_type, Some(command));
        let of_source = OfSource { app_json: settings, ..OfSource::default() };
        process.settings = heeded(&stored.of_type(&process.process_type, &of_source));
        process.is_task = true;
        processes.push(process);
    }
    for process in processes.iter_mut().filter(|process| !process.is_task) {
        let of_files =
            services::settings(app_json, source.service(&process.process_type), &process.process_type);
        process.settings = heeded(&stored.of_type(&process.process_type, &of_files));
    }
    for process in &mut processes {
        leave_out(&mut process.checks, process.settings.checks);
    }
    let gate = match &source {
        Source::Directory(_) => Gate::default(),
        Source::Image(_) | Source::Services(_) => Gate::of(world, app)?,
    };
    let environment = match &source {
        // The supervisor itself reads the files at each start.
        Source::Directory(_) => Variables::default(),
        Source::Image(_) | Source::Services(_) => environment::stored(world, app)?,
    };
    let reached = Reached::of(world, app)?;
    let release = Release {
        app: app.clone(),
        source,
        processes,
        are_all_types: knows_all_types,
        others: heeded(&stored.of_any_type()),
        env: environment::of_container(&environment)?,
        restart_policy: world.restart_policy(app)?,
        stop_timeout: world.stop_timeout(app)?,
        gate,
        listen: reached.listen,
        frontend: reached.frontend,
    };
    Ok(Assembled { release, warnings: environment.warnings().to_vec() })
}

/// The types of a Procfile, in its order, or the services of a Compose file that is deployed without one.
fn types(source: &Source, procfile: Option<&Procfile>) -> Result<Vec<Process>, Error> {
    let mut processes = Vec::new();
    for entry in procfile.iter().flat_map(|procfile| procfile.entries()) {
        let process_type = entry.process_type();
        let command = match std::str::from_utf8(entry.command) {
            Ok(command) => command,
            Err(source) => return Err(Error::NotText { process_type, source }),
        };
        processes.push(Process::new(process_type, Some(command.to_owned())));
    }
    if let (Source::Services(services), None) = (source, procfile) {
        processes.extend(services::processes(services));
    }
    Ok(processes)
}

/// Adds to each type the settings for its rollout and its checks in app.json, and the properties of its service in a Compose file.
fn complete(processes: &mut [Process], source: &Source, procfile: Option<&Procfile>, app_json: &AppJson) {
    for process in processes {
        let name = process.process_type.as_str();
        (process.strategy, process.max_parallel) = (app_json.strategy(name), app_json.max_parallel(name));
        process.checks = checks(app_json, &process.process_type);
        if let Some(service) = source.service(&process.process_type).filter(|_| procfile.is_none()) {
            services::complete(process, service);
        }
    }
}

/// Whether Formation runs the tasks and scripts of app.json. Inside Dokku its plugins run them. For the services of a Compose file they
/// are not run, because each service has an image of its own.
pub fn is_run_here(world: &World, source: &Source) -> bool {
    !matches!(source, Source::Services(_)) && !world.inside_dokku()
}

/// The command of `web` that replaces the one of the Procfile or of the image.
fn start_command(world: &World, app: &AppName, source: &Source) -> Result<Option<String>, Error> {
    let own = world.ps_property(app, START_CMD)?;
    Ok(match (own, source) {
        (None, Source::Image(_) | Source::Services(_)) => world.ps_property(app, DOCKERFILE_START_CMD)?,
        (own, _) => own,
    })
}

/// Sets the command of `web`. The `web` of an image without a Procfile gets an entry; a Procfile without `web` keeps having none.
fn replace_first(processes: &mut Vec<Process>, command: String, are_all_types: bool) {
    let process_type = FIRST_TYPE.parse().expect("web is a process type");
    match processes.iter_mut().find(|process| process.process_type == process_type) {
        Some(process) => process.command = Some(command),
        None if are_all_types => {}
        None => processes.push(Process::new(process_type, Some(command))),
    }
}

/// For an image without a Procfile, adds entries for the types that have settings.
fn add_types<'a>(processes: &mut Vec<Process>, names: impl Iterator<Item = &'a str>) {
    for process_type in names.filter_map(|name| name.parse::<ProcessType>().ok()) {
        if !processes.iter().any(|process| process.process_type == process_type) {
            processes.push(Process::new(process_type, None));
        }
    }
}

/// The checks of a type in app.json.
pub fn checks(app_json: &AppJson, process_type: &ProcessType) -> Checks {
    let mut checks = Checks::default();
    for (kind, asked) in app_json.checks(process_type.as_str()) {
        let list = match kind {
            Kind::Startup => &mut checks.startup,
            Kind::Liveness => &mut checks.liveness,
            Kind::Readiness => &mut checks.readiness,
        };
        list.push(check(asked));
    }
    checks
}

/// Removes the checks that are turned off.
fn leave_out(checks: &mut Checks, checking: Option<Checking>) {
    match checking {
        None | Some(Checking::Asked) => {}
        Some(Checking::Skipped) => checks.startup.clear(),
        Some(Checking::Disabled) => *checks = Checks::default(),
    }
}

fn check(check: &HealthCheck) -> Check {
    let scheme = if check.is_https() { Scheme::Https } else { Scheme::Http };
    let get = |path: &str| Get {
        scheme,
        path: path.to_owned(),
        headers: check.headers().to_vec(),
        content: check.content().to_owned(),
    };
    let ask = match (check.command(), check.uptime(), check.path()) {
        ([], None, None) => Ask::Listen,
        ([], None, Some(path)) => Ask::Get(get(path)),
        ([], Some(life), _) => Ask::Live(life),
        (words, _, _) => Ask::Run(words.to_vec()),
    };
    Check {
        ask,
        attempts: check.attempts(),
        timeout: check.timeout(),
        wait: check.wait(),
        initial_delay: check.initial_delay(),
        only_warns: check.only_warns(),
        on_failure: check.on_failure().to_vec(),
        port: check.port(),
    }
}

/// The part of the stored formation that a release can run.
pub fn runnable(stored: &StoredFormation, release: &Release) -> Runnable {
    let has_any = release.are_all_types && !release.processes.is_empty();
    let known =
        has_any.then(|| release.processes.iter().map(|process| process.process_type.clone()).collect());
    runnable_of(stored, known.as_ref())
}

/// Like [`runnable`], for a set of known types. `None`: every type may run.
pub fn runnable_of(stored: &StoredFormation, known: Option<&BTreeSet<ProcessType>>) -> Runnable {
    let is_known = |process_type: &ProcessType| known.is_none_or(|known| known.contains(process_type));
    // Every new app begins with `web=1`. A warning that an app without a web process does not run it would be of no use.
    let is_default = |process_type: &ProcessType, quantity: Quantity| {
        process_type.as_str() == FIRST_TYPE && quantity == Quantity::ONE
    };
    let wanted = stored.wanted();
    let skipped = wanted.iter().filter(|(process_type, quantity)| {
        quantity.get() > 0 && !is_default(process_type, *quantity) && !is_known(process_type)
    });
    let skipped = skipped.map(|(process_type, _)| process_type.clone()).collect();
    let runs = wanted.iter().filter(|(process_type, _)| is_known(process_type) && !process_type.is_release());
    let formation = runs.map(|(process_type, quantity)| (process_type.clone(), quantity)).collect();
    Runnable { formation, skipped }
}
