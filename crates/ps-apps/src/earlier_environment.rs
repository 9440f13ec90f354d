//! `data/apps/<app>/earlier-env.json`: the app's ENV file as it was before a deploy with `--env-file`. During the rollout the new
//! variables have to be in the ENV file, because each process reads it when it starts. Once the deploy is recorded, they stay. If the
//! deploy fails, or is killed before it was committed, the earlier ENV file is put back.

use std::path::PathBuf;

use durable::{Access, Directory, ReadError};
use formation::AppName;
use serde::{Deserialize, Serialize};

use crate::content::Bytes;
use crate::deployed::{MAX_BYTES, PLUGIN, damaged};
use crate::{Error, World, state_file};

const FILE: &str = "earlier-env.json";
const ENV: &str = "ENV";

#[derive(Serialize, Deserialize)]
struct Earlier {
    /// The earlier content; `None` if the app had no ENV file.
    before: Option<Bytes>,
}

impl World {
    /// Gives the app these variables until its deploy is recorded or put back; the caller holds the app's lock.
    pub fn replace_environment(&self, app: &AppName, bytes: &[u8]) -> Result<(), Error> {
        let before = state_file::read(&self.env_path(app), true)?.map(Bytes);
        let mut json = serde_json::to_vec(&Earlier { before }).expect("bytes are plain data");
        json.push(b'\n');
        let directory = Directory::open(self.lib(), &self.data_dir(PLUGIN, app))?;
        directory.write(FILE, &json, self.access_of_environment(app))?;
        drop(directory);
        self.write_environment(app, Some(bytes))
    }

    /// Puts back the ENV file that an unfinished deploy has replaced; does nothing if there was no such deploy.
    pub fn put_back_environment(&self, app: &AppName) -> Result<(), Error> {
        let path = self.earlier_environment(app);
        let json = match durable::state(&path, MAX_BYTES) {
            Ok(json) => json,
            Err(ReadError::Missing) => return Ok(()),
            Err(error) => return Err(damaged(&path, &error)),
        };
        let earlier: Earlier = serde_json::from_slice(&json).map_err(|error| damaged(&path, &error))?;
        if self.is_app(app)? {
            self.write_environment(app, earlier.before.as_ref().map(|bytes| bytes.0.as_slice()))?;
        }
        let directory = Directory::open(self.lib(), &self.data_dir(PLUGIN, app))?;
        directory.remove(FILE)?;
        directory.abandon();
        Ok(())
    }

    /// Removes the copy of the earlier ENV file: the deploy is recorded, so its variables stay.
    pub(crate) fn forget_earlier_environment(&self, app: &AppName) -> Result<(), Error> {
        if !self.earlier_environment(app).exists() {
            return Ok(());
        }
        Ok(Directory::open(self.lib(), &self.data_dir(PLUGIN, app))?.remove(FILE)?)
    }

    fn write_environment(&self, app: &AppName, bytes: Option<&[u8]>) -> Result<(), Error> {
        let path = self.env_path(app);
        let directory = Directory::open(self.lib(), path.parent().expect("a file lies in a directory"))?;
        if let Some(bytes) = bytes {
            return Ok(directory.write(ENV, bytes, self.access_of_environment(app))?);
        }
        directory.remove(ENV)?;
        directory.abandon();
        Ok(())
    }

    fn access_of_environment(&self, app: &AppName) -> Access {
        Access::like(&self.app_dir(app), 0o600)
    }

    fn earlier_environment(&self, app: &AppName) -> PathBuf {
        self.data_dir(PLUGIN, app).join(FILE)
    }
}
