//! A release: what an app's instances are started from, put together from what lies on disk.

use anyhow::{Context, Result};
use procfile::{Formation, ProcessType, Procfile, Quantity};
use ps_apps::{AppName, StoredFormation, World, durable};
use ps_cli::say;
use ps_scheduler::{Process, Release, Source};

use crate::app_json::AppJson;
use crate::source;

/// The type that runs once per deploy.
pub(crate) const RELEASE: &str = "release";
/// The type that every new app has one of.
const FIRST_TYPE: &str = "web";

/// The release that was deployed last; `None` if there was none.
pub(crate) fn deployed(world: &World, app: &AppName) -> Result<Option<Release>> {
    let Some(source) = source::recorded(world, app)? else { return Ok(None) };
    let procfile = durable::read(&world.procfile_path(app), true)?;
    let procfile = procfile.map(|bytes| Procfile::parse(&bytes)).transpose();
    let procfile =
        procfile.with_context(|| format!("{}: deploy again", world.procfile_path(app).display()))?;
    let app_json = durable::read(&world.app_json_path(app), false)?.unwrap_or_default();
    assemble(world, app, source, procfile.as_ref(), &AppJson::parse(&app_json)?).map(Some)
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
        let checks = app_json.startup_checks(process_type.as_str());
        processes.push(Process { process_type, command: Some(command.to_owned()), checks });
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

/// The formation as far as a release can run it: a type that is not in the Procfile is left out, with a word about it.
pub(crate) fn runnable(stored: &StoredFormation, release: &Release) -> Formation {
    let has_any = !release.processes.is_empty();
    let is_known = |process_type: &ProcessType| !has_any || release.process(process_type).is_some();
    let wanted = stored.wanted();
    for (process_type, quantity) in wanted.iter() {
        // Every new app begins with web=1: that nobody has a web process is no news.
        let is_default = process_type.as_str() == FIRST_TYPE && quantity == Quantity::ONE;
        if quantity.get() > 0 && !is_default && !is_known(process_type) {
            say::warning(&format!("Skipping {process_type} as it is missing from the current Procfile"));
        }
    }
    let runs =
        wanted.iter().filter(|(process_type, _)| is_known(process_type) && process_type.as_str() != RELEASE);
    runs.map(|(process_type, quantity)| (process_type.clone(), quantity)).collect()
}

fn environment(world: &World, app: &AppName) -> Result<Vec<(String, String)>> {
    let mut variables = std::collections::BTreeMap::new();
    for path in [world.global_env_path(), world.env_path(app)] {
        variables.extend(ps_supervisor::read_env_file(&path).map_err(anyhow::Error::msg)?);
    }
    Ok(variables.into_iter().collect())
}
