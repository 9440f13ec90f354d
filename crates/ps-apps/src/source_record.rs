//! `data/formation/<app>/source.json`: facts about the source of the last deploy in addition to its kind and its place:
//! which image runs, and how it was made. Every kept release contains the same facts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use formation::AppName;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::formatted::Formatted;
use crate::scope::Scope;
use crate::{Error, World};

const FILE: &str = "source.json";
/// The number of this format. A program that changes the meaning of a field raises it.
const FORMAT: u32 = 1;
const RECORD: Formatted = Formatted {
    format: FORMAT,
    // Enough for the descriptions of a thousand services.
    max_bytes: 16 << 20,
    cure: "remove the file, and deploy the app once more",
};

/// Which images a release runs, and how they were made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRecord {
    /// The number of its format.
    pub format: u32,
    /// The image of every process type that has none of its own: `name@sha256:…`, or the id of an image, `sha256:…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The image that the deploy's task `predeploy` has made from `image`, and that runs instead of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prepared: Option<String>,
    /// The Dockerfile in the directory, if the image was built from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dockerfile: Option<String>,
    /// The base image onto which the directory was copied, as it was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The arguments of the build.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub build_args: BTreeMap<String, String>,
    /// The name of the Compose file in the directory, if its services are the process types.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compose: Option<String>,
    /// The services of that file that the app has, if it has not all of them: a rebuild does not add the others.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub only: BTreeSet<String>,
    /// The name of our directory into which an archive was unpacked, if an archive is the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<String>,
    /// The services of that file, by process type.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<String, ServiceRecord>,
}

/// What the containers of one service of a Compose file are made from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRecord {
    /// The image: `name@sha256:…`, or `sha256:…`.
    #[serde(default)]
    pub image: String,
    /// The settings of the type in the file, by name.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// The description of its containers in the file, in the terms of the engine's API.
    #[serde(default)]
    pub container: Value,
    /// How many instances the file wants.
    #[serde(default)]
    pub replicas: Option<u16>,
    /// The port that it listens on.
    #[serde(default)]
    pub port: Option<u16>,
}

impl Default for SourceRecord {
    fn default() -> Self {
        Self {
            format: FORMAT,
            image: None,
            prepared: None,
            dockerfile: None,
            base: None,
            build_args: BTreeMap::new(),
            compose: None,
            only: BTreeSet::new(),
            archive: None,
            services: BTreeMap::new(),
        }
    }
}

impl SourceRecord {
    /// Whether no facts are recorded beyond the kind and the place of the source.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Every image that the record names; an image may come more than once.
    pub fn images(&self) -> impl Iterator<Item = &str> {
        let of_services = self.services.values().map(|service| service.image.as_str());
        let of_all = self.image.as_deref().into_iter().chain(self.prepared.as_deref());
        of_all.chain(of_services).filter(|image| !image.is_empty())
    }
}

impl World {
    /// The recorded facts about the source of the last deploy. Empty if kind and place say everything about the source, or if an
    /// earlier version of Formation made the deploy.
    pub fn source_record(&self, app: &AppName) -> Result<SourceRecord, Error> {
        Ok(RECORD.read(&self.source_path(app))?.unwrap_or_default())
    }

    /// Writes the record of the source; an empty record removes the file.
    pub(crate) fn keep_source(&self, app: &AppName, record: &SourceRecord) -> Result<(), Error> {
        if record.is_empty() && !self.source_path(app).exists() {
            return Ok(());
        }
        let directory = self.open_for_changes(&self.kept_dir(app))?;
        if record.is_empty() {
            return Ok(directory.remove(FILE)?);
        }
        let mut json = serde_json::to_vec(record).expect("a record is plain data");
        json.push(b'\n');
        Ok(directory.write(FILE, &json, self.access(Scope::App(app)))?)
    }

    fn source_path(&self, app: &AppName) -> PathBuf {
        self.kept_dir(app).join(FILE)
    }
}
