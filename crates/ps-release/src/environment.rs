//! The stored environment of an app: the part of it that a container gets, and how a deploy changes it
//! (`--env-file`).

use std::ffi::OsStr;
use std::path::Path;

use env_files::Environment as Variables;
use formation::AppName;
use procfile::Grammar;
use ps_apps::World;

use crate::{Error, Release, Source};

/// The stored variables of an app: those of all apps, overridden by the app's own.
pub(crate) fn stored(world: &World, app: &AppName) -> Result<Variables, Error> {
    let mut variables = Variables::default();
    for path in [world.global_env_path(), world.env_path(app)] {
        variables.read_file(&path, grammar(world)).map_err(Error::Environment)?;
    }
    Ok(variables)
}

fn grammar(world: &World) -> Grammar {
    if world.inside_dokku() { Grammar::Dokku } else { Grammar::Own }
}

/// Makes the variables of an env file the app's environment, until its deploy is recorded or put back. `file` is its name
/// in messages. If the bytes are not a valid env file, nothing is changed.
pub fn replace_environment(world: &World, app: &AppName, file: &Path, bytes: &[u8]) -> Result<(), Error> {
    Variables::default().add(file, bytes, Grammar::Own).map_err(Error::Environment)?;
    Ok(world.replace_environment(app, bytes)?)
}

/// The release with the variables of an env file in place of the app's own, as [`replace_environment`] has it deployed. Nothing is written. `file`
/// is its name in messages. Of an app that runs from a directory only the file is judged: its supervisor reads the variables itself.
///
/// # Errors
/// The bytes are not a valid env file, or the variables of all apps cannot be read.
pub fn with_environment(
    release: Release,
    world: &World,
    file: &Path,
    bytes: &[u8],
) -> Result<Release, Error> {
    let mut variables = Variables::default();
    variables.read_file(&world.global_env_path(), grammar(world)).map_err(Error::Environment)?;
    variables.add(file, bytes, Grammar::Own).map_err(Error::Environment)?;
    match &release.source {
        Source::Directory(_) => Ok(release),
        Source::Image(_) | Source::Services(_) => Ok(Release { env: of_container(&variables)?, ..release }),
    }
}

/// The variables of a container as text, because the engine accepts nothing else.
pub(crate) fn of_container(variables: &Variables) -> Result<Vec<(String, String)>, Error> {
    let text = |(name, value): (&OsStr, &OsStr)| match (name.to_str(), value.to_str()) {
        (Some(name), Some(value)) => Ok((name.to_owned(), value.to_owned())),
        _ => Err(Error::NotForAnEngine { place: variables.place(name) }),
    };
    variables.iter().map(text).collect()
}
