//! Why a root could not do something. The variants are split by who has to act.

use std::io;
use std::path::{Path, PathBuf};

/// A root's refusal or failure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user has to act: another root that stays always runs already.
    #[error("{} has a root already", place.display())]
    AlreadyKept {
        /// The directory of the apps.
        place: PathBuf,
    },
    /// The user has to act: the directory belongs to another user.
    #[error("{} belongs to {owner}: run this as that user", place.display())]
    Foreign {
        /// The directory.
        place: PathBuf,
        /// Its owner.
        owner: String,
    },
    /// The operator has to act: no root answers.
    #[error("no root answers in {}: {reason}", place.display())]
    Silent {
        /// The directory of the apps.
        place: PathBuf,
        /// Why.
        reason: String,
    },
    /// The operator has to act: the root refused a request, and said why.
    #[error("{0}")]
    Refused(String),
    /// The operator has to act: the system refused. The reason is part of this message, so it is no `source`: printing the
    /// whole chain would show it twice.
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
