//! The record of a deploy: the source, the files of that source, the formation and the scheduler. In Dokku's layout these
//! are files in several directories, and a deploy that is killed between two of them must not leave a mix of two releases.
//! So everything is first written as one file, `data/apps/<app>/deployed.json`, then copied to each place, and then that
//! file is removed. A program that takes the app's lock later finishes what is left to do; until the one file is written,
//! nothing has changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use durable::{Access, Directory, ReadError, Syncs};
use formation::AppName;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::content::{Bytes, Text};
use crate::kept_releases::{FORMAT, KeptRelease};
use crate::scope::Scope;
use crate::{Error, FormationOrigin, SourceRecord, StoredEntry, StoredFormation, World};

pub(crate) const PLUGIN: &str = "apps";
pub(crate) const FILE: &str = "deployed.json";
const KIND: &str = "deploy-source";
const PLACE: &str = "deploy-source-metadata";
/// Separates the name of an image from its digest.
const DIGEST: &str = "@sha256:";
/// Two files of 1 MiB each, in JSON: one byte takes up to six characters.
pub(crate) const MAX_BYTES: u64 = 16 << 20;

/// The record of a successful deploy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployed {
    /// The kind of its source: `directory`, `command`, `declaration`, `docker-image`, `dockerfile`, `base-image` or `compose`.
    pub kind: String,
    /// The source: a path, or an image.
    pub place: String,
    /// Further facts about the source: which image runs, and how it was made.
    #[serde(default, skip_serializing_if = "SourceRecord::is_empty")]
    pub source: SourceRecord,
    /// The Procfile; `None` if the deploy has none, so that the one of an earlier deploy is removed.
    pub procfile: Option<Bytes>,
    /// The app.json; `None` as for the Procfile.
    pub app_json: Option<Bytes>,
    /// The scheduler that runs the app.
    pub scheduler: String,
    /// The wanted counts. Types that are no longer wanted have ended, and are not included.
    pub scale: Vec<StoredEntry>,
    /// Where the counts come from, as the name of a [`FormationOrigin`].
    pub scale_source: String,
    /// Whether the formation may be changed by hand.
    pub can_scale: bool,
    /// The engine's id of the image; `None` for a directory, and if the id was not looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The number of the kept release that is deployed again; `None`: it is a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restores: Option<u64>,
    /// The properties that the deploy sets, by name; other properties stay as they are. In the file the key is `address`, because the first
    /// version set only properties of the app's address.
    #[serde(rename = "address", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, String>,
}

/// A record with the number of its release.
#[derive(Serialize)]
struct Numbered<'a> {
    #[serde(flatten)]
    deployed: &'a Deployed,
    release: u64,
    at: Timestamp,
    /// Whether the deploy sets the property `restore`, so that the app is started again after a reboot; `false`: the property stays as it
    /// is.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    restored: bool,
}

impl Numbered<'_> {
    /// The same record in the form in which releases are kept.
    fn release(&self) -> KeptRelease {
        let deployed = self.deployed;
        let is_image = deployed.kind == "docker-image";
        let resolved = (!is_image).then(|| fs::canonicalize(&deployed.place).ok()).flatten();
        let image = deployed.source.image.as_deref();
        let image = image.or_else(|| is_image.then_some(deployed.place.as_str()));
        let digest = image.and_then(|image| match image.find(DIGEST) {
            Some(begin) => Some(&image[begin + 1..]),
            None => image.starts_with(&DIGEST[1..]).then_some(image),
        });
        KeptRelease {
            format: FORMAT,
            number: self.release,
            at: self.at,
            kind: deployed.kind.clone(),
            place: deployed.place.clone(),
            content: resolved.as_deref().and_then(|path| tree_digest::of(path).ok()),
            directory: resolved.and_then(|path| path.into_os_string().into_string().ok()),
            digest: digest.map(str::to_owned),
            image: deployed.image.clone(),
            restores: deployed.restores,
            source: deployed.source.clone(),
            scheduler: deployed.scheduler.clone(),
            procfile: deployed.procfile.as_ref().map(Text::from),
            app_json: deployed.app_json.as_ref().map(Text::from),
            formation: deployed.scale.clone(),
        }
    }
}

/// The fields that [`Numbered`] adds to the record. They are missing in a deploy that was intended and never committed.
#[derive(Deserialize)]
struct Number {
    release: u64,
    #[serde(default = "Timestamp::now")]
    at: Timestamp,
    #[serde(default)]
    restored: bool,
}

impl World {
    /// Kind and place of the source of the last deploy; `None` if there was none.
    pub fn deploy_source(&self, app: &AppName) -> Result<Option<(String, String)>, Error> {
        let kind = self.property(PLUGIN, Scope::App(app), KIND)?;
        let place = self.property(PLUGIN, Scope::App(app), PLACE)?;
        Ok(kind.zip(place))
    }

    /// Records a deploy. The caller holds the app's lock. After an error, [`World::is_half_recorded`] says whether the
    /// record was written to its one file, or nothing was changed.
    pub fn record_deploy(&self, app: &AppName, deployed: &Deployed) -> Result<(), Error> {
        let release = self.next_release(app)?;
        let numbered = Numbered { deployed, release, at: Timestamp::now(), restored: false };
        let mut json = serde_json::to_vec(&numbered).expect("a record is plain data");
        json.push(b'\n');
        let directory = Directory::open(self.lib(), &self.data_dir(PLUGIN, app))?;
        directory.write(FILE, &json, self.access(Scope::App(app)))?;
        drop(directory);
        self.write_to_places(app, &numbered, &Syncs::default())
    }

    /// Whether a record was written as the one file, but not yet copied to all of its places.
    pub fn is_half_recorded(&self, app: &AppName) -> bool {
        self.half_record(app).is_file()
    }

    /// Removes a record that [`World::record_deploy`] could not finish, for an app whose first deploy is undone.
    pub fn abandon_record(&self, app: &AppName) -> Result<(), Error> {
        if self.is_half_recorded(app) { self.forget_half(app) } else { Ok(()) }
    }

    /// Finishes the record of a killed deploy, whether the deploy was writing it or its scheduler had committed without it.
    pub(crate) fn finish_record(&self, app: &AppName) -> Result<(), Error> {
        self.write_half(app, &Syncs::of_a_later_try())?;
        let intended = self.take_committed(app);
        self.write_half(app, &Syncs::of_a_later_try())?;
        if !self.is_unfinished(app) {
            // The deploy was killed before its rollout began.
            self.put_back_environment(app)?;
        }
        intended.map(drop)
    }

    /// Finishes a deploy of which only the prepared record was written: writes each part to its final path.
    pub(crate) fn write_half(&self, app: &AppName, syncs: &Syncs) -> Result<(), Error> {
        let path = self.half_record(app);
        let json = match durable::state(&path, MAX_BYTES) {
            Ok(json) => json,
            Err(ReadError::Missing) => return Ok(()),
            Err(error) => return Err(damaged(&path, &error)),
        };
        if !self.is_app(app)? {
            // The app has been destroyed.
            return self.forget_half(app);
        }
        let deployed: Deployed = serde_json::from_slice(&json).map_err(|error| damaged(&path, &error))?;
        let number: Option<Number> = serde_json::from_slice(&json).ok();
        let (release, at, restored) = match number {
            Some(Number { release, at, restored }) => (release, at, restored),
            // Written by an earlier version.
            None => (self.next_release(app)?, Timestamp::now(), false),
        };
        self.write_to_places(app, &Numbered { deployed: &deployed, release, at, restored }, syncs)
    }

    /// Writes each part to its place, unless the same content is there already. All parts are synced together, and the one file stays until
    /// they are durable: after a power failure it is used to write them again.
    fn write_to_places(&self, app: &AppName, numbered: &Numbered<'_>, syncs: &Syncs) -> Result<(), Error> {
        self.with(syncs).write_parts(app, numbered)?;
        syncs.finish()?;
        self.forget_earlier_environment(app)?;
        self.forget_half(app)
    }

    fn write_parts(&self, app: &AppName, numbered: &Numbered<'_>) -> Result<(), Error> {
        let deployed = numbered.deployed;
        let scope = Scope::App(app);
        self.set_property(PLUGIN, scope, KIND, &deployed.kind)?;
        self.set_property(PLUGIN, scope, PLACE, &deployed.place)?;
        self.keep_source(app, &deployed.source)?;
        self.keep(app, &self.procfile_path(app), deployed.procfile.as_ref())?;
        self.keep(app, &self.app_json_path(app), deployed.app_json.as_ref())?;
        self.set_property("scheduler", scope, "selected", &deployed.scheduler)?;
        let formation = StoredFormation { scale: deployed.scale.clone(), old: Vec::new() };
        let source = FormationOrigin::named(&deployed.scale_source).unwrap_or_default();
        self.update_formation_from::<Error>(app, source, |_| Ok(formation))?;
        if self.can_scale(app)? != deployed.can_scale {
            self.set_property("ps", scope, "can-scale", &deployed.can_scale.to_string())?;
        }
        for (name, value) in &deployed.properties {
            self.set_property("ps", scope, name, value)?;
        }
        if numbered.restored {
            self.set_restored(app, true)?;
        }
        self.set_property("common", scope, "deployed", "true")?;
        self.keep_release(app, &numbered.release())
    }

    fn keep(&self, app: &AppName, path: &Path, bytes: Option<&Bytes>) -> Result<(), Error> {
        let parent = path.parent().expect("a file lies in a directory");
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name of ours");
        if bytes.is_none() && !parent.exists() {
            return Ok(());
        }
        let directory = self.open_for_changes(parent)?;
        let kept = match bytes {
            Some(bytes) => directory.write(name, &bytes.0, Access::like(&self.app_dir(app), 0o644)),
            None => directory.remove(name),
        };
        Ok(kept?)
    }

    fn forget_half(&self, app: &AppName) -> Result<(), Error> {
        let directory = Directory::open(self.lib(), &self.data_dir(PLUGIN, app))?;
        directory.remove(FILE)?;
        // The directory existed only for the deploy. Abandoning it removes it if it is empty, so a failed deploy leaves no more behind than
        // a successful one.
        directory.abandon();
        Ok(())
    }

    fn half_record(&self, app: &AppName) -> PathBuf {
        self.data_dir(PLUGIN, app).join(FILE)
    }
}

pub(crate) fn damaged(path: &Path, reason: &dyn std::fmt::Display) -> Error {
    let reason = format!("{reason}: remove the file, and deploy the app once more");
    Error::Corrupt { path: path.to_owned(), line: None, reason }
}
