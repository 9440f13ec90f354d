//! The stored environment of an app: the part of it that a container gets, and how a deploy changes it
//! (`--env-file`).

use std::path::Path;

use durable::{Access, Directory};
use env_files::Environment as Variables;
use formation::AppName;
use procfile::Grammar;
use ps_apps::World;
use ps_apps::state_file;

use crate::Error;

/// The stored variables of an app: those that hold for all apps, overridden by the app's own.
pub(crate) fn stored(world: &World, app: &AppName) -> Result<Variables, Error> {
    let grammar = if world.inside_dokku() { Grammar::Dokku } else { Grammar::Own };
    let mut variables = Variables::default();
    for path in [world.global_env_path(), world.env_path(app)] {
        variables.read_file(&path, grammar).map_err(Error::Environment)?;
    }
    Ok(variables)
}

/// The app's ENV file as it was before a deploy, so that it can be restored if the deploy fails.
#[derive(Debug)]
pub enum Environment {
    /// The deploy brought no environment of its own.
    Untouched,
    /// The deploy replaced the ENV file.
    Replaced {
        /// The bytes of the earlier file; `None` if there was none.
        before: Option<Vec<u8>>,
    },
}

impl Environment {
    /// Makes the variables of an env file the app's environment. `file` is its name in messages. If the bytes are not
    /// a valid env file, nothing is changed.
    pub fn replace(world: &World, app: &AppName, file: &Path, bytes: &[u8]) -> Result<Self, Error> {
        Variables::default().add(file, bytes, Grammar::Own).map_err(Error::Environment)?;
        let before = state_file::read(&world.env_path(app), true)?;
        write(world, app, Some(bytes))?;
        Ok(Self::Replaced { before })
    }

    /// Restores the environment from before the deploy.
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
