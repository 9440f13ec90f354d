//! Why a stream could not be written: what was being done, to which path, and what the system said.

use std::io;
use std::path::{Path, PathBuf};

/// A failure of the system. No byte of the stream is lost, and the operation may be tried again.
#[derive(Debug, thiserror::Error)]
#[error("{action} {}: {reason}", path.display())]
pub struct Error {
    /// What was being done: `create`, `open`.
    pub action: &'static str,
    /// The path.
    pub path: PathBuf,
    /// The error of the system. It is part of this message, so it is no `source`: printing the whole chain would show it
    /// twice.
    pub reason: io::Error,
}

impl Error {
    pub(crate) fn io(action: &'static str, path: &Path, reason: impl Into<io::Error>) -> Self {
        Self { action, path: path.to_owned(), reason: reason.into() }
    }
}
