//! `import.json`: the app that `import` is taking over, from before pm2 stops it until pm2 has it no more. If the command is
//! killed in between, the next one finds the app stopped in pm2, and without a part of its settings, because pm2 forgets
//! `watch` when it stops an app. This file has them as they were.

use std::path::PathBuf;

use anyhow::{Context, Result};
use durable::{Access, Directory, ReadError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::home::Home;

const FILE: &str = "import.json";
const MAX_BYTES: u64 = 256 << 20;

/// An app that is on its way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Taking {
    /// The home of the pm2 that it comes from.
    pub(crate) home: PathBuf,
    pub(crate) name: String,
    /// pm2's ids of its instances, with all keys of each.
    pub(crate) instances: Vec<(u64, Vec<(String, Value)>)>,
}

impl Taking {
    /// Notes what is begun.
    pub(crate) fn begin(&self, home: &Home) -> Result<()> {
        let json = serde_json::to_vec(self).context("what is taken over")?;
        let write = || -> Result<(), durable::WriteError> {
            let directory = Directory::open(home.directory(), &home.own())?;
            directory.write(FILE, &json, Access::like(home.directory(), 0o600))
        };
        write().with_context(|| format!("write {}", home.own().join(FILE).display()))
    }

    /// What an earlier command has begun and not ended. A file that makes no sense says nothing.
    pub(crate) fn left(home: &Home) -> Result<Option<Self>> {
        let path = home.own().join(FILE);
        match durable::state(&path, MAX_BYTES) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(ReadError::Missing) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
        }
    }

    /// It has ended.
    pub(crate) fn end(home: &Home) -> Result<()> {
        let path = home.own().join(FILE);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("remove {}", path.display()))
            }
            _ => Ok(()),
        }
    }

    /// What was said of an instance, if it is one of it.
    pub(crate) fn of(&self, id: u64) -> Option<&[(String, Value)]> {
        self.instances.iter().find(|(known, _)| *known == id).map(|(_, keys)| &**keys)
    }
}
