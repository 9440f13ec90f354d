//! The file that records the position up to which everything was printed. It is replaced as a whole after each batch of
//! lines, so a killed program leaves the previous one.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use durable::ReadError;
use formation::AppName;
use ps_scheduler::ReadUpTo;
use serde::{Deserialize, Serialize};

/// The number of this format.
const FORMAT: u32 = 1;
/// The most bytes of a file: ten thousand streams.
const MAX_BYTES: u64 = 16 << 20;

/// The position up to which the output of each app was printed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    format: u32,
    apps: BTreeMap<String, BTreeMap<String, String>>,
}

impl Cursor {
    /// Reads a cursor; an empty one if the file does not exist.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let bytes = match durable::state(path, MAX_BYTES) {
            Err(ReadError::Missing) => return Ok(Self::default()),
            bytes => bytes.with_context(|| format!("read the cursor {}", path.display()))?,
        };
        let cursor: Self = serde_json::from_slice(&bytes)
            .with_context(|| format!("{} is no cursor: remove it to begin anew", path.display()))?;
        if cursor.format != FORMAT {
            bail!("{} is a cursor of format {}, which a later version wrote", path.display(), cursor.format);
        }
        Ok(cursor)
    }

    /// The position up to which an app was read, if it was.
    pub(crate) fn of(&self, app: &AppName) -> Option<ReadUpTo> {
        self.apps.get(app.as_str()).cloned().map(ReadUpTo)
    }

    /// Records the position up to which an app was read. Returns whether it has changed.
    pub(crate) fn note(&mut self, app: &AppName, read: &ReadUpTo) -> bool {
        self.format = FORMAT;
        self.apps.insert(app.as_str().to_owned(), read.0.clone()).as_ref() != Some(&read.0)
    }

    /// Writes the cursor.
    pub(crate) fn write(&self, path: &CursorPath) -> io::Result<()> {
        let bytes = serde_json::to_vec(self).expect("a cursor is plain data");
        durable::replace(&path.directory, &path.name, &bytes)
    }
}

/// The path of a cursor file.
#[derive(Clone, Debug)]
pub(crate) struct CursorPath {
    directory: PathBuf,
    name: String,
}

impl CursorPath {
    /// Checks a path. Its directory must exist.
    pub(crate) fn of(path: &Path) -> Result<Self> {
        let name = path.file_name().and_then(OsStr::to_str);
        let Some(name) = name else { bail!("{} is no name for a file", path.display()) };
        let directory = match path.parent() {
            Some(parent) if parent != Path::new("") => parent.to_owned(),
            Some(_) | None => PathBuf::from("."),
        };
        if !directory.is_dir() {
            bail!("{} is no directory: no cursor can be written there", directory.display());
        }
        Ok(Self { directory, name: name.to_owned() })
    }
}
