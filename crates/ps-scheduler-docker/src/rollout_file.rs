//! `data/scheduler-docker-local/<app>/rollout.json`: the numbers of the app's runs, and the rollout in progress as its
//! executor last recorded it. The executor holds a lock on the directory. If a rollout is recorded and nobody holds the
//! lock, its executor has died.
//!
//! The file has a format number. A file of another version, or one that cannot be read, counts as empty, and a note says so.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use durable::ReadError;
use durable::{Access, Directory};
use formation::{AppName, ProcessType, RestartPolicy, Slot};
use ps_apps::{Error, InstanceFiles, World};
use ps_rollout::{Action, HIGHEST_NUMBER, Rollout};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::{schedule_file, stop_request, watch_file};

const PLUGIN: &str = "scheduler-docker-local";
const FILE: &str = "rollout.json";
const FORMAT: u8 = 1;
/// The largest file that is read, in bytes. A rollout of ten thousand slots takes less.
const MAX_BYTES: u64 = 64 << 20;

/// The file that a deploy is committed with, below `DOKKU_LIB_ROOT`.
pub(crate) fn witness(app: &AppName) -> PathBuf {
    Path::new("data").join(PLUGIN).join(app.as_str()).join(FILE)
}

/// The content of the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Written {
    format: u8,
    /// The lowest number that no run of the app has had.
    pub(crate) next_run: u64,
    /// The number of the app's release; 0 if it was never counted.
    pub(crate) release: u64,
    /// The deploy that was committed last. It is set as soon as a successor would finish that deploy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deploy: Option<String>,
    /// The container of each slot that a person stopped. An entry counts as long as the container is the recorded one
    /// and does not run.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) stopped: BTreeMap<Slot, String>,
    /// The rollout in progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) under_way: Option<UnderWay>,
}

/// A rollout in progress.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct UnderWay {
    /// Properties of its runs that are not part of the plan.
    pub(crate) terms: Terms,
    /// Its state.
    pub(crate) rollout: Rollout,
}

/// Properties of the runs of a rollout that are not part of its plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Terms {
    /// The number of the new release.
    pub(crate) release: u64,
    /// The number of the old release; 0 if it was never counted.
    pub(crate) old_release: u64,
    /// The name of the new deploy, and, once it is committed, that of the earlier one.
    #[serde(default)]
    pub(crate) deploy: Option<String>,
    #[serde(default)]
    pub(crate) old_deploy: Option<String>,
    /// The restart policy that new runs get at the commit.
    pub(crate) policy: RestartPolicy,
    /// The restart policies of types that have one of their own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) policies: BTreeMap<String, RestartPolicy>,
    /// The restart policies of the old runs, for those that may have to be started again.
    pub(crate) old_policies: BTreeMap<Slot, RestartPolicy>,
}

impl Terms {
    /// What the engine does when a new run of this type ends by itself.
    pub(crate) fn policy(&self, process_type: &ProcessType) -> RestartPolicy {
        self.policies.get(process_type.as_str()).copied().unwrap_or(self.policy)
    }
}

impl Default for Written {
    fn default() -> Self {
        Self {
            format: FORMAT,
            next_run: 1,
            release: 0,
            deploy: None,
            stopped: BTreeMap::new(),
            under_way: None,
        }
    }
}

impl Written {
    /// The rollout, if it is not over.
    pub(crate) fn unfinished(&self) -> Option<&UnderWay> {
        self.under_way.as_ref().filter(|under_way| under_way.rollout.outcome().is_none())
    }

    /// Records which deploy is committed once these actions begin: the new one at a commit, the old one when it is put back.
    /// Once this is written, a successor finishes the deploy if this process dies.
    pub(crate) fn note_commit(&mut self, actions: &[Action]) {
        let Some(UnderWay { terms, .. }) = &self.under_way else { return };
        for action in actions {
            match action {
                Action::Commit(_) => self.deploy.clone_from(&terms.deploy),
                Action::PutBack(_) => self.deploy.clone_from(&terms.old_deploy),
                Action::Start { .. }
                | Action::Probe(_)
                | Action::Admit(_)
                | Action::Withdraw(_)
                | Action::End(_)
                | Action::Forget(_) => (),
            }
        }
    }

    /// Records that a person stopped these slots. Entries for other containers than the recorded ones are removed.
    pub(crate) fn note_stopped<'a>(
        &mut self,
        records: &InstanceFiles,
        slots: impl IntoIterator<Item = &'a Slot>,
    ) {
        let recorded = |slot: &Slot| records.slots.get(slot).and_then(|record| record.id.clone());
        let stopped = slots.into_iter().filter_map(|slot| Some((slot.clone(), recorded(slot)?)));
        self.stopped.extend(stopped);
        self.stopped.retain(|slot, id| recorded(slot).as_ref() == Some(id));
    }
}

/// The file of one app.
pub(crate) struct RolloutFile<'a> {
    world: &'a World,
    pub(crate) directory: PathBuf,
}

/// The result of taking the lock. The kernel releases it if its holder dies.
pub(crate) enum Hold {
    /// This process holds the lock, as long as the file is open.
    Mine(File),
    /// Another process holds it.
    Others,
    /// The directory does not exist, so it cannot be locked.
    Nothing,
}

impl<'a> RolloutFile<'a> {
    /// The file of `app`, which need not exist.
    pub(crate) fn new(world: &'a World, app: &AppName) -> Self {
        Self { world, directory: world.data_dir(PLUGIN, app) }
    }

    /// Makes the directory of the file.
    pub(crate) fn make_room(&self) -> Result<(), Error> {
        let lib = self.world.lib();
        std::fs::create_dir_all(lib).map_err(|error| Error::io("create", lib, error))?;
        Ok(durable::create_below(lib, &self.directory)?)
    }

    /// Takes the lock. Without a directory there is no rollout. If the directory cannot be locked, no rollout could be
    /// recorded in it either, so a stop need not wait for one.
    pub(crate) fn hold(&self) -> Hold {
        let Ok(directory) = File::open(&self.directory) else { return Hold::Nothing };
        match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Hold::Mine(directory),
            Err(Errno::WOULDBLOCK) => Hold::Others,
            Err(_) => Hold::Nothing,
        }
    }

    /// The content of the file, and the reason if it could not be used.
    pub(crate) fn read(&self) -> (Written, Option<String>) {
        let path = self.directory.join(FILE);
        let bytes = match durable::state(&path, MAX_BYTES) {
            Ok(bytes) => bytes,
            Err(ReadError::Missing) => return (Written::default(), None),
            Err(error) => return (Written::default(), Some(format!("{}: {error}", path.display()))),
        };
        match parse(&bytes) {
            Ok(written) => (written, None),
            Err(reason) => (Written::default(), Some(format!("{}: {reason}", path.display()))),
        }
    }

    /// Writes the file, durably.
    pub(crate) fn write(&self, written: &Written) -> Result<(), Error> {
        let text = serde_json::to_vec(written).expect("a rollout can be written as JSON");
        // The file may quote messages of failed processes, so only its owner may read it.
        let access = Access::like(self.world.lib(), 0o600);
        Ok(Directory::open(self.world.lib(), &self.directory)?.write(FILE, &text, access)?)
    }

    /// Removes the file, after the last container of the app is gone.
    pub(crate) fn remove(&self) {
        // If the file stays, it only contains the numbers of removed runs. The directory may be Dokku's and is kept.
        let _ = std::fs::remove_file(self.directory.join(FILE));
        let _ = std::fs::remove_dir_all(self.directory.join(durable::STAGE));
        stop_request::forget(&self.directory);
        watch_file::forget(&self.directory);
        schedule_file::forget(&self.directory);
        let _ = std::fs::remove_dir(&self.directory);
    }
}

fn parse(bytes: &[u8]) -> Result<Written, String> {
    let value: serde_json::Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let format = value["format"].as_u64();
    if format != Some(u64::from(FORMAT)) {
        return Err(match format {
            Some(format) => format!("format {format} is of another version"),
            None => "there is no format number".to_owned(),
        });
    }
    let written: Written = serde_json::from_value(value).map_err(|error| error.to_string())?;
    let release = written.under_way.as_ref().map_or(0, |under_way| under_way.terms.release);
    match [written.next_run, written.release, release].into_iter().max() {
        Some(number) if number > HIGHEST_NUMBER => Err(format!("the number {number} is too large")),
        Some(_) | None => Ok(written),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_version_wrote_or_nobody_can_read_is_nothing_written() {
        let written = serde_json::to_string(&Written { next_run: 7, ..Written::default() }).expect("JSON");
        assert_eq!(parse(written.as_bytes()).expect("ours").next_run, 7);
        let later = written.replace("\"format\":1", "\"format\":2");
        for text in [later.as_str(), "{}", "[", "", "{\"format\":1}", "\0\0"] {
            assert!(parse(text.as_bytes()).is_err(), "{text:?}");
        }
        for beyond in ["\"next_run\":7", "\"release\":0"] {
            let name = beyond.split_inclusive(':').next().expect("a name");
            let text = written.replace(beyond, &format!("{name}{}", u64::MAX));
            assert!(text != written && parse(text.as_bytes()).is_err(), "{text}");
        }
        let more = written.replace('{', "{\"later\":[1],");
        assert_eq!(parse(more.as_bytes()).expect("a word of a later version").next_run, 7);
    }
}
