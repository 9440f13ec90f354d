//! Snapshots: the wanted state of apps, with formation and release, under a name that the user chooses. A snapshot contains
//! what a deploy records, so a release can be restored even if it is not kept any more. The environment is not included.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use durable::{Access, Directory};
use formation::{AppName, Slot};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::content::Bytes;
use crate::formatted::Formatted;
use crate::{Deployed, Error, World, state_file};

const DIRECTORY: &str = "formation-snapshots";
const SUFFIX: &str = ".json";
const FORMAT: u32 = 1;
const RECORD: Formatted = Formatted {
    format: FORMAT,
    // Enough for a few hundred apps, each with two files of 1 MiB. Whoever has more apps needs several snapshots.
    max_bytes: 256 << 20,
    cure: "save it again with --replace",
};
const MAX_NAME_BYTES: usize = 63;

/// The name of a snapshot, which is part of a file's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotName(String);

/// A word that is no name of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no name for a snapshot: letters, digits, '-', '_' and '.', 63 at most, a letter or digit first"
)]
pub struct InvalidSnapshotName(String);

impl FromStr for SnapshotName {
    type Err = InvalidSnapshotName;

    fn from_str(word: &str) -> Result<Self, InvalidSnapshotName> {
        let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let begins_well = word.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        if begins_well && word.len() <= MAX_NAME_BYTES && word.bytes().all(is_legal) {
            Ok(Self(word.to_owned()))
        } else {
            Err(InvalidSnapshotName(word.chars().take(80).collect()))
        }
    }
}

impl std::fmt::Display for SnapshotName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The wanted state of apps at one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// When it was saved.
    pub at: Timestamp,
    /// The apps, by name.
    pub apps: Vec<SavedApp>,
}

/// The wanted state of one app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedApp {
    /// Its name.
    pub app: String,
    /// Whether it was to run.
    pub wanted: bool,
    /// The number of the release, for people; 0 if none is kept.
    pub release: u64,
    /// The slots that a person had stopped.
    pub stopped: Vec<Slot>,
    /// The release and the formation, in the form in which a deploy records them.
    pub deployed: Deployed,
}

#[derive(Serialize)]
struct Written<'a> {
    format: u32,
    #[serde(flatten)]
    snapshot: &'a Snapshot,
}

impl Deployed {
    /// Whether another record has the same release, with the same or with other counts.
    pub fn is_same_release(&self, other: &Self) -> bool {
        let of = |deployed: &Self| {
            let Self { kind, place, source, procfile, app_json, scheduler, .. } = deployed.clone();
            (kind, place, source, procfile, app_json, scheduler)
        };
        of(self) == of(other)
    }
}

impl World {
    /// The record of the app's last deploy, with the current counts; `None` if it was never deployed.
    pub fn deployed(&self, app: &AppName) -> Result<Option<Deployed>, Error> {
        let Some((kind, place)) = self.deploy_source(app)? else { return Ok(None) };
        Ok(Some(Deployed {
            kind,
            place,
            source: self.source_record(app)?,
            procfile: state_file::read(&self.procfile_path(app), true)?.map(Bytes),
            app_json: state_file::read(&self.app_json_path(app), false)?.map(Bytes),
            scheduler: self.scheduler_name(app)?.to_string(),
            scale: self.formation(app)?.scale,
            scale_source: self.formation_origin(app)?.as_str().to_owned(),
            can_scale: self.can_scale(app)?,
            image: None,
            restores: None,
            properties: BTreeMap::new(),
        }))
    }

    /// The names of the snapshots, sorted.
    pub fn snapshots(&self) -> Result<Vec<SnapshotName>, Error> {
        let directory = self.snapshots_dir();
        let entries = match fs::read_dir(&directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| Error::io("read", &directory, error))?,
        };
        let name = |entry: fs::DirEntry| {
            entry.file_name().to_str()?.strip_suffix(SUFFIX)?.parse::<SnapshotName>().ok()
        };
        let mut names: Vec<SnapshotName> = entries.flatten().filter_map(name).collect();
        names.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(names)
    }

    /// A snapshot; `None` if no snapshot has that name.
    pub fn snapshot(&self, name: &SnapshotName) -> Result<Option<Snapshot>, Error> {
        RECORD.read(&self.snapshots_dir().join(format!("{name}{SUFFIX}")))
    }

    /// Writes a snapshot atomically; an existing snapshot of that name is replaced.
    pub fn write_snapshot(&self, name: &SnapshotName, snapshot: &Snapshot) -> Result<(), Error> {
        let mut json =
            serde_json::to_vec(&Written { format: FORMAT, snapshot }).expect("a snapshot is plain data");
        json.push(b'\n');
        let directory = Directory::open(self.lib(), &self.snapshots_dir())?;
        Ok(directory.write(&format!("{name}{SUFFIX}"), &json, Access::like(self.root(), 0o600))?)
    }

    /// Removes a snapshot.
    pub fn delete_snapshot(&self, name: &SnapshotName) -> Result<(), Error> {
        Ok(Directory::open(self.lib(), &self.snapshots_dir())?.remove(&format!("{name}{SUFFIX}"))?)
    }

    fn snapshots_dir(&self) -> PathBuf {
        self.lib().join("data").join(DIRECTORY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_part_of_a_files_name_and_nothing_else() {
        for name in ["a", "before-the-move", "2026.11", "A_1"] {
            assert_eq!(name.parse::<SnapshotName>().map(|name| name.to_string()).as_deref(), Ok(name));
        }
        for name in ["", ".", "..", "../a", "a/b", "-a", ".a", "a b", "é", &"a".repeat(64)] {
            assert!(name.parse::<SnapshotName>().is_err(), "{name}");
        }
    }

    #[test]
    fn what_was_saved_comes_back_and_a_later_format_is_refused_by_its_number() {
        let directory = tempfile::tempdir().expect("a directory");
        let world = World::new(directory.path().join("home"), directory.path().join("lib"));
        fs::create_dir_all(world.root()).expect("a directory");
        fs::create_dir_all(world.lib()).expect("a directory");
        let name: SnapshotName = "calm".parse().expect("a name");
        assert_eq!(world.snapshot(&name).expect("readable"), None);
        let snapshot = Snapshot { at: Timestamp::UNIX_EPOCH, apps: Vec::new() };
        world.write_snapshot(&name, &snapshot).expect("written");
        assert_eq!(world.snapshot(&name).expect("readable"), Some(snapshot));
        assert_eq!(world.snapshots().expect("readable"), std::slice::from_ref(&name));
        fs::write(world.snapshots_dir().join("calm.json"), "{\"format\": 2}").expect("written");
        let error = world.snapshot(&name).expect_err("later").to_string();
        assert!(error.contains("format 2 is of a later version"), "{error}");
        world.delete_snapshot(&name).expect("removed");
        assert_eq!(world.snapshots().expect("readable"), []);
    }
}
