//! `data/formation/<app>/declaration.json`: which process types of an app were made by a declaration (`ps-lifecycle apply`). With
//! this record, a later version of the declaration ends those types and no others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use durable::Directory;
use formation::AppName;
use serde::{Deserialize, Serialize};

use crate::formatted::Formatted;
use crate::scope::Scope;
use crate::{Error, World};

const FILE: &str = "declaration.json";
/// The number of this format. A program that changes the meaning of a field raises it.
const FORMAT: u32 = 1;
const RECORD: Formatted = Formatted {
    format: FORMAT,
    max_bytes: 4 << 20,
    cure: "remove the file, and apply the declaration once more",
};

/// The process types, images and variables that declarations have given an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclarationRecord {
    /// The number of its format.
    pub format: u32,
    /// The process types, each with the declaration that made it: a path, or `-` for standard input.
    pub types: BTreeMap<String, String>,
    /// The image of each service of a Compose file, as the file names it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub images: BTreeMap<String, String>,
    /// The types for which each declared variable is set; an empty set: all types.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, BTreeSet<String>>,
}

impl Default for DeclarationRecord {
    fn default() -> Self {
        Self { format: FORMAT, types: BTreeMap::new(), images: BTreeMap::new(), variables: BTreeMap::new() }
    }
}

impl World {
    /// The record of an app; empty if no declaration was ever applied to it.
    pub fn declaration_record(&self, app: &AppName) -> Result<DeclarationRecord, Error> {
        Ok(RECORD.read(&self.declaration_path(app))?.unwrap_or_default())
    }

    /// Writes the record of an app; the caller holds the app's lock.
    pub fn keep_declaration(&self, app: &AppName, record: &DeclarationRecord) -> Result<(), Error> {
        let directory = Directory::open(self.lib(), &self.kept_dir(app))?;
        let mut json = serde_json::to_vec(record).expect("a record is plain data");
        json.push(b'\n');
        Ok(directory.write(FILE, &json, self.access(Scope::App(app)))?)
    }

    fn declaration_path(&self, app: &AppName) -> PathBuf {
        self.kept_dir(app).join(FILE)
    }
}
