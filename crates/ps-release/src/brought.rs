//! The Procfile and the app.json of a deploy inside Dokku: those of the deploy in progress, or else those of the last
//! one.

use app_json::AppJson;
use formation::AppName;
use procfile::Procfile;
use ps_apps::{World, state_file};

use crate::Error;

/// The Procfile. An app without one is refused, because its commands are unknown.
pub fn procfile(world: &World, app: &AppName) -> Result<Procfile, Error> {
    let Some(path) = world.current_procfile(app) else {
        return Err(Error::NothingToRun { app: app.to_string() });
    };
    let bytes = state_file::read(&path, true)?.unwrap_or_default();
    Procfile::parse(&bytes).map_err(|broken| Error::BadFile { path, source: broken.into() })
}

/// The app.json. An app without one has an empty app.json.
pub fn app_json(world: &World, app: &AppName) -> Result<AppJson, Error> {
    let Some(path) = world.current_app_json(app) else { return Ok(AppJson::default()) };
    let bytes = state_file::read(&path, false)?.unwrap_or_default();
    AppJson::parse(&bytes).map_err(|broken| Error::BadFile { path, source: broken.into() })
}
