//! Why a stream could not be written: what was being done, to which path, and what the system said.

use std::io;
use std::path::{Path, PathBuf};

/// A failure of the system; nothing of the stream is lost, and the same may be tried again.
#[derive(Debug, thiserror::Error)]
#[error("{action} {}: {reason}", path.display())]
pub struct Error {
    /// What was being done: `create`, `open`.
    pub action: &'static str,
    /// To what.
    pub path: PathBuf,
    /// What the system said. It stands in the words above, so it is no `source`: nobody reads it twice.
    pub reason: io::Error,
}

impl Error {
    pub(crate) fn io(action: &'static str, path: &Path, reason: impl Into<io::Error>) -> Self {
        Self { action, path: path.to_owned(), reason: reason.into() }
    }
}
