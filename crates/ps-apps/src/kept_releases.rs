//! The last releases of an app, `data/formation/<app>/releases/<n>.json`: the record of each deploy, so that it can be
//! deployed again. The environment is not included: a release that is deployed again gets the current variables.
//!
//! Keeping a release is the last step of recording a deploy ([`World::record_deploy`]), so if a deploy is killed in
//! between, the next verb keeps it when it finishes the record. Numbers only grow; when there are more than ten files, the
//! oldest is removed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use durable::{Directory, ReadError};
use formation::AppName;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::content::Text;
use crate::formatted::Formatted;
use crate::scope::Scope;
use crate::{Error, SourceRecord, StoredEntry, World};

/// How many releases of an app are kept.
const KEPT_RELEASES: usize = 10;
/// The number of this format. A program that changes the meaning of a field raises it.
pub(crate) const FORMAT: u32 = 1;
const RECORD: Formatted = Formatted {
    format: FORMAT,
    // Two files of 1 MiB each, in JSON: one byte takes up to six characters.
    max_bytes: 16 << 20,
    cure: "remove the file, this release cannot come back",
};
const DIRECTORY: &str = "releases";
/// A file with a higher number was not written by us. The limit makes sure that a number can be incremented.
const HIGHEST_NUMBER: u64 = 1 << 53;

/// A release that was deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptRelease {
    /// The number of its format.
    pub format: u32,
    /// Its own number: each deploy of the app has a higher one.
    pub number: u64,
    /// When its deploy had succeeded (RFC 3339, UTC).
    pub at: Timestamp,
    /// The kind of its source: `directory`, `command`, `declaration`, `docker-image`, `dockerfile`, `base-image` or `compose`.
    pub kind: String,
    /// The source as it was typed: a path, or an image.
    pub place: String,
    /// The directory to which that path led, links resolved; `null` for an image, and for a path that is not text.
    pub directory: Option<String>,
    /// The digest of the content of that directory when its deploy had succeeded, `sha256:…`. Missing for an image, for a directory that
    /// could not be read or is too large, and in releases that an earlier version kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// The digest of the image that ran, `sha256:…`: that of its registry, or else the image's id; `null` if no image ran.
    pub digest: Option<String>,
    /// The engine's id of the image that ran; missing for a directory, and in releases that an earlier version kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The number of the release that this one deployed again, if it is the result of a rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restores: Option<u64>,
    /// Further facts about the source.
    #[serde(default, skip_serializing_if = "SourceRecord::is_empty")]
    pub source: SourceRecord,
    /// The scheduler that ran it.
    pub scheduler: String,
    /// The Procfile; `null` if there was none.
    pub procfile: Option<Text>,
    /// The app.json; `null` if there was none.
    pub app_json: Option<Text>,
    /// The counts of its formation.
    pub formation: Vec<StoredEntry>,
}

impl World {
    /// The kept releases of an app, the newest first. A release whose file is damaged, or was written by a later version, is an error that
    /// names the file; the others can be used.
    pub fn kept_releases(&self, app: &AppName) -> Result<Vec<Result<KeptRelease, Error>>, Error> {
        let directory = self.releases_dir(app);
        let numbers = numbers(&directory)?;
        Ok(numbers.into_iter().rev().map(|number| read(&directory, number)).collect())
    }

    /// The kept release with that number; `None` if there is none.
    pub fn kept_release(&self, app: &AppName, number: u64) -> Result<Option<KeptRelease>, Error> {
        let directory = self.releases_dir(app);
        let is_there = numbers(&directory)?.contains(&number);
        is_there.then(|| read(&directory, number)).transpose()
    }

    /// The number of the app's newest release, the one that was deployed last; `None` if the app was never deployed.
    pub fn newest_release(&self, app: &AppName) -> Result<Option<u64>, Error> {
        Ok(numbers(&self.releases_dir(app))?.last().copied())
    }

    /// The number for the next release of an app.
    ///
    /// # Errors
    /// The directory of the kept releases cannot be read, so a deploy could not be recorded.
    pub fn next_release(&self, app: &AppName) -> Result<u64, Error> {
        Ok(numbers(&self.releases_dir(app))?.last().map_or(1, |newest| newest + 1))
    }

    /// Keeps a release and removes the oldest ones beyond the limit. A release of the same number is replaced.
    pub(crate) fn keep_release(&self, app: &AppName, release: &KeptRelease) -> Result<(), Error> {
        let path = self.releases_dir(app);
        let mut json = serde_json::to_vec(release).expect("a release is plain data");
        json.push(b'\n');
        let directory = self.open_for_changes(&path)?;
        directory.write(&file_name(release.number), &json, self.access(Scope::App(app)))?;
        for old in numbers(&path)?.into_iter().rev().skip(KEPT_RELEASES) {
            directory.remove(&file_name(old))?;
        }
        Ok(())
    }

    /// Copies the kept releases of one app to another. Neither app needs a directory in `$DOKKU_ROOT`.
    pub(crate) fn copy_releases(&self, old: &AppName, new: &AppName) -> Result<(), Error> {
        let from = self.releases_dir(old);
        let numbers = numbers(&from)?;
        if numbers.is_empty() {
            return Ok(());
        }
        let to = Directory::open(self.lib(), &self.releases_dir(new))?;
        for number in numbers {
            let path = from.join(file_name(number));
            let bytes =
                durable::state(&path, RECORD.max_bytes).map_err(|error| RECORD.damaged(&path, &error))?;
            to.write(&file_name(number), &bytes, self.access(Scope::Global))?;
        }
        Ok(())
    }

    fn releases_dir(&self, app: &AppName) -> PathBuf {
        self.kept_dir(app).join(DIRECTORY)
    }
}

fn file_name(number: u64) -> String {
    format!("{number}.json")
}

/// The numbers of all release files, the lowest first; empty if the directory does not exist.
fn numbers(directory: &Path) -> Result<Vec<u64>, Error> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| Error::io("read", directory, error))?,
    };
    let number = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        let number: u64 = name.strip_suffix(".json")?.parse().ok()?;
        (number <= HIGHEST_NUMBER && file_name(number) == name).then_some(number)
    };
    let mut numbers: Vec<u64> = entries.flatten().filter_map(number).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

fn read(directory: &Path, number: u64) -> Result<KeptRelease, Error> {
    let path = directory.join(file_name(number));
    let release: KeptRelease =
        RECORD.read(&path)?.ok_or_else(|| RECORD.damaged(&path, &ReadError::Missing))?;
    if release.number != number {
        return Err(RECORD.damaged(&path, &format!("it says that it is release {}", release.number)));
    }
    Ok(release)
}
