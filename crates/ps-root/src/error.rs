//! Why a root could not do something, split by who must act.

use std::io;
use std::path::{Path, PathBuf};

/// A root's refusal or failure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user: there is another one, which stays.
    #[error("{} has a root already", place.display())]
    AlreadyKept {
        /// Where the apps are.
        place: PathBuf,
    },
    /// The user: the directory belongs to somebody else.
    #[error("{} belongs to {owner}: run this as that user", place.display())]
    Foreign {
        /// The directory.
        place: PathBuf,
        /// Its owner.
        owner: String,
    },
    /// The operator: no root answers.
    #[error("no root answers in {}: {reason}", place.display())]
    Silent {
        /// Where it would be.
        place: PathBuf,
        /// Why.
        reason: String,
    },
    /// The operator: the root refused what it was asked for; it says itself why.
    #[error("{0}")]
    Refused(String),
    /// The operator: the system refused. It says why itself, so the reason is no `source`: nobody reads it twice.
    #[error("{action} {}: {reason}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
}

impl Error {
    pub(crate) fn io(action: &'static str, path: &Path, reason: impl Into<io::Error>) -> Self {
        Self::Io { action, path: path.to_owned(), reason: reason.into() }
    }
}
