//! The environment that is stored of an app: what a container is given of it, and how a deploy changes it (`--env-file`).

use std::path::Path;

use durable::{Access, Directory};
use env_files::Environment as Variables;
use formation::AppName;
use procfile::Grammar;
use ps_apps::World;
use ps_apps::state_file;

use crate::Error;

/// The variables that are stored: those of all apps, and over them the app's own.
pub(crate) fn stored(world: &World, app: &AppName) -> Result<Variables, Error> {
    let grammar = if world.inside_dokku() { Grammar::Dokku } else { Grammar::Own };
    let mut variables = Variables::default();
    for path in [world.global_env_path(), world.env_path(app)] {
        variables.read_file(&path, grammar).map_err(Error::Environment)?;
    }
    Ok(variables)
}

/// The app's ENV file as it was before a deploy, for the case that the deploy fails.
#[derive(Debug)]
pub enum Environment {
    /// The deploy brings no environment.
    Untouched,
    /// Another file took its place.
    Replaced {
        /// What it was; `None` if there was none.
        before: Option<Vec<u8>>,
    },
}

impl Environment {
    /// Makes the variables of a file the app's. `file` is what messages call it. Bytes that make no sense change nothing.
    pub fn replace(world: &World, app: &AppName, file: &Path, bytes: &[u8]) -> Result<Self, Error> {
        Variables::default().add(file, bytes, Grammar::Own).map_err(Error::Environment)?;
        let before = state_file::read(&world.env_path(app), true)?;
        write(world, app, Some(bytes))?;
        Ok(Self::Replaced { before })
    }

    /// What was before is the app's environment again.
    pub fn put_back(self, world: &World, app: &AppName) -> Result<(), Error> {
        match self {
            Self::Untouched => Ok(()),
            Self::Replaced { before } => write(world, app, before.as_deref()),
        }
    }
}

fn write(world: &World, app: &AppName, bytes: Option<&[u8]>) -> Result<(), Error> {
    let path = world.env_path(app);
    let written =
        Directory::open(world.lib(), path.parent().unwrap_or(&path)).and_then(|directory| match bytes {
            Some(bytes) => directory.write("ENV", bytes, Access::like(&world.app_dir(app), 0o600)),
            None => directory.remove("ENV"),
        });
    Ok(written.map_err(ps_apps::Error::from)?)
}
