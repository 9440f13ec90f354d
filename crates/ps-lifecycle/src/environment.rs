//! `--env-file`: the app's environment from now on, and as it was for the case that the deploy fails.

use std::path::Path;

use anyhow::{Context, Error, Result};
use env_files::MAX_ENV_FILE_BYTES;
use formation::AppName;
use ps_apps::World;
use ps_apps::durable::{self, Access, Directory};
use ps_cli::say;

use crate::session::Session;

/// The app's ENV file as it was.
pub(crate) enum Environment {
    /// No file was given.
    Untouched,
    /// Another file took its place.
    Replaced {
        /// What it was.
        before: Option<Vec<u8>>,
    },
}

impl Environment {
    /// Makes a file's variables the app's, if a file is given: it may be a pipe, or `-` for standard input, and Ctrl-C ends
    /// the wait for either. One that makes no sense changes nothing.
    pub(crate) fn replace(session: &Session, app: &AppName, file: Option<&Path>) -> Result<Self> {
        let Some(file) = file else { return Ok(Self::Untouched) };
        let world = &session.world;
        let bytes = ::durable::argument(file, MAX_ENV_FILE_BYTES, &|| session.check().is_err());
        session.check()?;
        let bytes = bytes.with_context(|| file.display().to_string())?;
        env_files::Environment::default().add(file, &bytes, procfile::Grammar::Own).map_err(Error::msg)?;
        let before = durable::read(&world.env_path(app), true)?;
        write(world, app, Some(&bytes))?;
        Ok(Self::Replaced { before })
    }

    /// The deploy's own failure is what the user must hear; one of putting back is said beside it.
    pub(crate) fn put_back(self, world: &World, app: &AppName) {
        if let Self::Replaced { before } = self
            && let Err(error) = write(world, app, before.as_deref())
        {
            say::warning(&format!("the environment of {app} could not be put back: {error:#}"));
        }
    }
}

fn write(world: &World, app: &AppName, bytes: Option<&[u8]>) -> Result<()> {
    let path = world.env_path(app);
    let directory = Directory::open(world.lib(), path.parent().unwrap_or(&path))?;
    match bytes {
        Some(bytes) => directory.write("ENV", bytes, Access::like(&world.app_dir(app), 0o600))?,
        None => directory.remove("ENV")?,
    }
    Ok(())
}
