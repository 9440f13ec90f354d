//! `data/scheduler-docker-local/<app>/rollout.json`: which numbers the app's runs have had, and the rollout that is under way, as
//! its executor last wrote it down. Whoever holds the lock on that directory carries the app's rollout out; a rollout that is
//! written down while nobody holds it was left by somebody who died.
//!
//! The file has a format number. What another version wrote, or nobody can read, reads as nothing written, and is said.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;

use durable::ReadError;
use durable::{Access, Directory};
use formation::{AppName, RestartPolicy, Slot};
use ps_apps::{Error, World};
use ps_rollout::{HIGHEST_NUMBER, Rollout};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::stop_request;

const PLUGIN: &str = "scheduler-docker-local";
const FILE: &str = "rollout.json";
const FORMAT: u8 = 1;
/// More than a rollout of ten thousand slots takes.
const MAX_BYTES: u64 = 64 << 20;

/// What is written down.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Written {
    format: u8,
    /// The lowest number that no run of the app has had.
    pub(crate) next_run: u64,
    /// The number of the app's release; 0 if nobody has counted yet.
    pub(crate) release: u64,
    /// The rollout that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) under_way: Option<UnderWay>,
}

/// A rollout that is under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct UnderWay {
    /// What its runs are given.
    pub(crate) terms: Terms,
    /// How far it has come.
    pub(crate) rollout: Rollout,
}

/// What the runs of a rollout are given besides what they are started from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Terms {
    /// The number of the release that the app has once the rollout is committed.
    pub(crate) release: u64,
    /// The number of the one it had before; 0 if nobody had counted.
    pub(crate) old_release: u64,
    /// What the engine does when a new run ends by itself, from the commit on.
    pub(crate) policy: RestartPolicy,
    /// The same for runs that may have to be started again.
    pub(crate) old_policies: BTreeMap<Slot, RestartPolicy>,
}

impl Default for Written {
    fn default() -> Self {
        Self { format: FORMAT, next_run: 1, release: 0, under_way: None }
    }
}

impl Written {
    /// The rollout, if it is not over.
    pub(crate) fn unfinished(&self) -> Option<&UnderWay> {
        self.under_way.as_ref().filter(|under_way| under_way.rollout.outcome().is_none())
    }
}

/// The file of one app.
pub(crate) struct RolloutFile<'a> {
    world: &'a World,
    pub(crate) directory: PathBuf,
}

/// Whose right it is to carry out an app's rollout. The kernel takes it back from a holder who dies.
pub(crate) enum Hold {
    /// Ours, for as long as this file is open.
    Mine(File),
    /// Somebody else's.
    Others,
    /// Nobody's.
    Nothing,
}

impl<'a> RolloutFile<'a> {
    /// The file of `app`, which need not be there.
    pub(crate) fn new(world: &'a World, app: &AppName) -> Self {
        Self { world, directory: world.data_dir(PLUGIN, app) }
    }

    /// Makes the directory.
    pub(crate) fn make_room(&self) -> Result<(), Error> {
        let lib = self.world.lib();
        std::fs::create_dir_all(lib).map_err(|error| Error::io("create", lib, error))?;
        Ok(durable::create_below(lib, &self.directory)?)
    }

    /// Takes the right to carry out the app's rollout. Where there is no directory there is no rollout, and where it cannot be locked
    /// a rollout could not be written down either: nobody is kept from ending what runs.
    pub(crate) fn hold(&self) -> Hold {
        let Ok(directory) = File::open(&self.directory) else { return Hold::Nothing };
        match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Hold::Mine(directory),
            Err(Errno::WOULDBLOCK) => Hold::Others,
            Err(_) => Hold::Nothing,
        }
    }

    /// What is written down, and why not if it cannot be used.
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

    /// Writes it down, durably.
    pub(crate) fn write(&self, written: &Written) -> Result<(), Error> {
        let text = serde_json::to_vec(written).expect("a rollout can be written as JSON");
        // It may quote what a process wrote before it failed.
        let access = Access::like(self.world.lib(), 0o600);
        Ok(Directory::open(self.world.lib(), &self.directory)?.write(FILE, &text, access)?)
    }

    /// Forgets everything; the app has no containers any more.
    pub(crate) fn remove(&self) {
        // What is left of it is as good as nothing: the numbers of runs that are gone. The directory may be Dokku's, too.
        let _ = std::fs::remove_file(self.directory.join(FILE));
        let _ = std::fs::remove_dir_all(self.directory.join(durable::STAGE));
        stop_request::forget(&self.directory);
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
        Some(number) if number > HIGHEST_NUMBER => Err(format!("nothing has the number {number}")),
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
