//! A release: what an app's instances are started from, put together from what lies on disk.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail};
use app_json::{AppJson, HealthCheck};
use env_files::Environment;
use formation::{AppName, FIRST_TYPE, Formation, ProcessType, Quantity};
use procfile::{Grammar, Procfile};
use ps_apps::{StoredFormation, World, durable};
use ps_cli::say;
use ps_scheduler::{Check, Process, Release, Source};

use crate::source;

/// The name of the file that says how many instances there are, and how they are checked.
pub(crate) const APP_JSON: &str = "app.json";
/// The property that holds the command of `web`, in place of the Procfile's.
pub(crate) const START_CMD: &str = "start-cmd";
/// The same for an image alone.
pub(crate) const DOCKERFILE_START_CMD: &str = "dockerfile-start-cmd";

/// The release that was deployed last; `None` if there was none.
pub(crate) fn deployed(world: &World, app: &AppName) -> Result<Option<Release>> {
    let Some(source) = source::recorded(world, app)? else { return Ok(None) };
    let procfile = durable::read(&world.procfile_path(app), true)?;
    let procfile = procfile.map(|bytes| Procfile::parse(&bytes)).transpose();
    // Nobody who runs the app from a directory has none: it was removed since.
    let lost = matches!((&source, &procfile), (Source::Directory(_), Ok(None)));
    let procfile = if lost { Err(anyhow!("it is missing")) } else { procfile.map_err(Into::into) };
    let way_out = format!("ps-lifecycle deploy {app} writes it anew");
    let recorded = |path: PathBuf| format!("the recorded {} ({way_out})", path.display());
    let procfile = procfile.with_context(|| recorded(world.procfile_path(app)))?;
    let app_json = durable::read(&world.app_json_path(app), false)?.unwrap_or_default();
    let app_json = AppJson::parse(&app_json).with_context(|| recorded(world.app_json_path(app)))?;
    assemble(world, app, source, procfile.as_ref(), &app_json).map(Some)
}

/// A release of `source` with these files and the app's properties and environment.
pub(crate) fn assemble(
    world: &World,
    app: &AppName,
    source: Source,
    procfile: Option<&Procfile>,
    app_json: &AppJson,
) -> Result<Release> {
    let mut processes = Vec::new();
    for entry in procfile.iter().flat_map(|procfile| procfile.entries()) {
        let process_type = entry.process_type();
        let command = std::str::from_utf8(entry.command);
        let command = command.with_context(|| format!("the command of {process_type} is not UTF-8"))?;
        let checks = app_json.startup_checks(process_type.as_str()).map(check).collect();
        processes.push(Process {
            checks,
            strategy: app_json.strategy(process_type.as_str()),
            max_parallel: app_json.max_parallel(process_type.as_str()),
            ..Process::new(process_type, Some(command.to_owned()))
        });
    }
    if let Some(command) = start_command(world, app, &source)? {
        replace_first(&mut processes, command, &source);
    }
    let env = match &source {
        // The supervisor reads the files itself, at each start.
        Source::Directory(_) => Vec::new(),
        Source::Image(_) => environment(world, app)?,
    };
    Ok(Release {
        app: app.to_string(),
        source,
        processes,
        env,
        restart_policy: world.restart_policy(app)?,
        stop_timeout: world.stop_timeout(app)?,
    })
}

/// What `web` runs in place of the Procfile's command, or of the image's.
fn start_command(world: &World, app: &AppName, source: &Source) -> Result<Option<String>> {
    let own = world.ps_property(app, START_CMD)?;
    Ok(match (own, source) {
        (None, Source::Image(_)) => world.ps_property(app, DOCKERFILE_START_CMD)?,
        (own, _) => own,
    })
}

/// An image brings no Procfile, and its `web` gets an entry; a Procfile without `web` keeps having none.
fn replace_first(processes: &mut Vec<Process>, command: String, source: &Source) {
    let process_type = FIRST_TYPE.parse().expect("web is a process type");
    match (processes.iter_mut().find(|process| process.process_type == process_type), source) {
        (Some(process), _) => process.command = Some(command),
        (None, Source::Image(_)) => {
            processes.push(Process::new(process_type, Some(command)));
        }
        (None, Source::Directory(_)) => {}
    }
}

fn check(check: &HealthCheck) -> Check {
    Check {
        path: check.path().map(str::to_owned),
        attempts: check.attempts(),
        timeout: check.timeout(),
        wait: check.wait(),
    }
}

/// The formation as far as a release can run it: a type that is not in the Procfile is left out, with a word about it.
pub(crate) fn runnable(stored: &StoredFormation, release: &Release) -> Formation {
    // An image brings no Procfile that could say which types there are.
    let has_any = matches!(release.source, Source::Directory(_)) && !release.processes.is_empty();
    let known =
        has_any.then(|| release.processes.iter().map(|process| process.process_type.clone()).collect());
    runnable_of(stored, known.as_ref())
}

/// [`runnable`] by the types that are known; `None`: any may run.
pub(crate) fn runnable_of(stored: &StoredFormation, known: Option<&BTreeSet<ProcessType>>) -> Formation {
    let is_known = |process_type: &ProcessType| known.is_none_or(|known| known.contains(process_type));
    let wanted = stored.wanted();
    for (process_type, quantity) in wanted.iter() {
        // Every new app begins with web=1: that nobody has a web process is no news.
        let is_default = process_type.as_str() == FIRST_TYPE && quantity == Quantity::ONE;
        if quantity.get() > 0 && !is_default && !is_known(process_type) {
            say::warning(&format!("Skipping {process_type} as it is missing from the current Procfile"));
        }
    }
    let runs = wanted.iter().filter(|(process_type, _)| is_known(process_type) && !process_type.is_release());
    runs.map(|(process_type, quantity)| (process_type.clone(), quantity)).collect()
}

/// The variables of a container: those of all apps, and over them the app's own.
fn environment(world: &World, app: &AppName) -> Result<Vec<(String, String)>> {
    let grammar = if world.inside_dokku() { Grammar::Dokku } else { Grammar::Own };
    let mut environment = Environment::default();
    for path in [world.global_env_path(), world.env_path(app)] {
        environment.read_file(&path, grammar).map_err(anyhow::Error::msg)?;
    }
    environment.warnings().iter().for_each(|odd| say::warning(odd));
    let text = |(name, value): (&OsStr, &OsStr)| match (name.to_str(), value.to_str()) {
        (Some(name), Some(value)) => Ok((name.to_owned(), value.to_owned())),
        _ => bail!(
            "{} is not UTF-8, and the engine takes nothing else: encode it, or run the app natively",
            environment.place(name)
        ),
    };
    environment.iter().map(text).collect()
}
