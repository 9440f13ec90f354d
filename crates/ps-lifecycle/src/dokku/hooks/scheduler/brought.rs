//! The Procfile and the app.json of a deploy: those of the deploy that is under way, else those of the last one.

use anyhow::{Context, Result};
use app_json::AppJson;
use formation::AppName;
use procfile::Procfile;
use ps_apps::{World, durable};
use ps_cli::exit::Refusal;

/// The Procfile. An app without one is refused: nobody knows what to run.
pub(super) fn procfile(world: &World, app: &AppName) -> Result<Procfile> {
    let Some(path) = world.current_procfile(app) else {
        return Err(Refusal::failed(format!(
            "App {app} has no Procfile, which says what to run: add one (web: <command>) and push again"
        )));
    };
    let bytes = durable::read(&path, true)?.unwrap_or_default();
    Procfile::parse(&bytes).with_context(|| path.display().to_string())
}

/// The app.json; an app without one has an empty one.
pub(super) fn app_json(world: &World, app: &AppName) -> Result<AppJson> {
    let Some(path) = world.current_app_json(app) else { return Ok(AppJson::default()) };
    let bytes = durable::read(&path, false)?.unwrap_or_default();
    AppJson::parse(&bytes).with_context(|| path.display().to_string())
}
