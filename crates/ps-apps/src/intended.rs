//! `data/apps/<app>/deploying.json`: the record that a deploy will write once it has succeeded. The file is written before the rollout
//! begins, because the executor of the rollout (a supervisor, for example) may outlive the program that asked for the deploy, and commit
//! the release alone.
//!
//! There is exactly one commit point, and it is the scheduler's. The file names its *witness*, a JSON document of the scheduler that is
//! replaced atomically, and gives the deploy a unique name. As soon as the witness contains `"deploy": "<that name>"`, the deploy has
//! happened, and the next verb that takes the app's lock renames the file to `deployed.json`. Until then the file has no effect. For
//! example, `deploy` writes `deploying.json`, submits revision 8 to the supervisor, and is killed. The supervisor renames revision 8 to
//! `spec2.json`, in which the deploy is named: at that moment the app has been deployed.

use std::path::{Path, PathBuf};

use durable::{Directory, ReadError, Syncs};
use formation::AppName;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::deployed::{FILE, MAX_BYTES, PLUGIN, damaged};
use crate::scope::Scope;
use crate::{Deployed, Error, SchedulerName, World};

const INTENDED_FILE: &str = "deploying.json";

/// The record that a deploy will write.
#[derive(Serialize)]
struct Intended<'a> {
    #[serde(flatten)]
    deployed: &'a Deployed,
    release: u64,
    restored: bool,
    deploy: &'a str,
    witness: &'a Path,
}

/// The fields that are read before the deploy has happened.
#[derive(Deserialize)]
struct Claim {
    deploy: String,
    witness: PathBuf,
    scheduler: String,
}

/// The one field of a witness that is read here.
#[derive(Deserialize)]
struct Testimony {
    #[serde(default)]
    deploy: Option<String>,
}

impl World {
    /// Writes the record of a deploy that is about to begin, durably; the caller holds the app's lock. `witness` is the file, below
    /// `DOKKU_LIB_ROOT`, that the scheduler commits with; the scheduler has to write the returned name into it.
    pub fn intend_deploy(&self, app: &AppName, deployed: &Deployed, witness: &Path) -> Result<String, Error> {
        let now = Timestamp::now();
        let deploy = format!("{now}-{}", std::process::id());
        let release = self.next_release(app)?;
        let intended = Intended { deployed, release, restored: true, deploy: &deploy, witness };
        let mut json = serde_json::to_vec(&intended).expect("a record is plain data");
        json.push(b'\n');
        let directory = Directory::open(self.lib(), &self.data_dir(PLUGIN, app))?;
        directory.write(INTENDED_FILE, &json, self.access(Scope::App(app)))?;
        Ok(deploy)
    }

    /// Whether a deploy was begun, and was perhaps neither recorded nor given up. The next verb that takes the app's lock records it or
    /// gives it up.
    pub fn is_unfinished(&self, app: &AppName) -> bool {
        self.is_half_recorded(app) || self.intended_path(app).exists()
    }

    /// The scheduler of a deploy that was begun and neither recorded nor given up.
    pub fn intended_scheduler(&self, app: &AppName) -> Option<SchedulerName> {
        let claim = self.claim(app).ok().flatten()?;
        Some(claim.scheduler.as_str().into())
    }

    /// Records the deploy, because its release runs; the caller holds the app's lock. After an error [`World::is_half_recorded`] says
    /// whether it is recorded all the same.
    pub fn record_intended(&self, app: &AppName) -> Result<(), Error> {
        self.write_half(app, &Syncs::of_a_later_try())?;
        self.take_intended(app)?;
        self.write_half(app, &Syncs::default())
    }

    /// Records the deploy if its witness names it, and gives it up otherwise; returns whether it was recorded. The caller holds the app's
    /// lock and has made sure that no executor still works on the deploy.
    pub fn conclude_intended(&self, app: &AppName) -> Result<bool, Error> {
        let is_committed = self.take_committed(app)?;
        self.write_half(app, &Syncs::of_a_later_try())?;
        if !is_committed && self.intended_path(app).exists() {
            self.put_back_environment(app)?;
            let directory = Directory::open(self.lib(), &self.data_dir(PLUGIN, app))?;
            directory.remove(INTENDED_FILE)?;
            directory.abandon();
        }
        Ok(is_committed)
    }

    /// Records a deploy that its scheduler has committed; returns whether there was one.
    pub(crate) fn take_committed(&self, app: &AppName) -> Result<bool, Error> {
        if !self.claim(app)?.is_some_and(|claim| self.is_committed(&claim)) || !self.is_app(app)? {
            return Ok(false);
        }
        self.take_intended(app)?;
        Ok(true)
    }

    /// The rename is not synced: after a power failure the file may have its old name again, but then its witness still says that the
    /// deploy has happened.
    fn take_intended(&self, app: &AppName) -> Result<(), Error> {
        let directory = self.with(&Syncs::default()).open_for_changes(&self.data_dir(PLUGIN, app))?;
        Ok(directory.rename(INTENDED_FILE, FILE)?)
    }

    fn is_committed(&self, claim: &Claim) -> bool {
        let said = durable::state(&self.lib().join(&claim.witness), MAX_BYTES).ok();
        let said = said.and_then(|json| serde_json::from_slice::<Testimony>(&json).ok());
        said.and_then(|said| said.deploy).as_ref() == Some(&claim.deploy)
    }

    fn claim(&self, app: &AppName) -> Result<Option<Claim>, Error> {
        let path = self.intended_path(app);
        match durable::state(&path, MAX_BYTES) {
            Ok(json) => serde_json::from_slice(&json).map(Some).map_err(|error| damaged(&path, &error)),
            Err(ReadError::Missing) => Ok(None),
            Err(error) => Err(damaged(&path, &error)),
        }
    }

    fn intended_path(&self, app: &AppName) -> PathBuf {
        self.data_dir(PLUGIN, app).join(INTENDED_FILE)
    }
}
