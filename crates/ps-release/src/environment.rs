//! The stored environment of an app: the part of it that a container gets, and how a deploy changes it
//! (`--env-file`).

use std::path::Path;

use env_files::Environment as Variables;
use formation::AppName;
use procfile::Grammar;
use ps_apps::World;

use crate::Error;

/// The stored variables of an app: those of all apps, overridden by the app's own.
pub(crate) fn stored(world: &World, app: &AppName) -> Result<Variables, Error> {
    let grammar = if world.inside_dokku() { Grammar::Dokku } else { Grammar::Own };
    let mut variables = Variables::default();
    for path in [world.global_env_path(), world.env_path(app)] {
        variables.read_file(&path, grammar).map_err(Error::Environment)?;
    }
    Ok(variables)
}

/// Makes the variables of an env file the app's environment, until its deploy is recorded or put back. `file` is its name
/// in messages. If the bytes are not a valid env file, nothing is changed.
pub fn replace_environment(world: &World, app: &AppName, file: &Path, bytes: &[u8]) -> Result<(), Error> {
    Variables::default().add(file, bytes, Grammar::Own).map_err(Error::Environment)?;
    Ok(world.replace_environment(app, bytes)?)
}
