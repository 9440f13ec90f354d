//! Why a supervisor could not do something. The variants are split by who has to act.

use std::io;
use std::path::{Path, PathBuf};

use durable::ReadError;

/// A supervisor's refusal or failure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user has to act: this is no service directory.
    #[error("no spec in {}: deploy the app first", service.display())]
    NoSpec {
        /// The directory.
        service: PathBuf,
    },
    /// The operator has to act: the spec cannot be used.
    #[error("{}: {reason}", path.display())]
    BadSpec {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The user has to act: a later version of these programs wrote the file.
    #[error("{}: it is of format {format}, which a later version wrote: deploy the app first", path.display())]
    LaterFormat {
        /// The file.
        path: PathBuf,
        /// The number of its format.
        format: u32,
    },
    /// The operator has to act: a status file cannot be used.
    #[error("{}: {reason}: restart the instance", path.display())]
    BadStatus {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The user has to act: another supervisor runs already.
    #[error("{} has a supervisor already", service.display())]
    AlreadySupervised {
        /// The directory.
        service: PathBuf,
    },
    /// The operator has to act: no supervisor answers.
    #[error("no supervisor answers in {}: {reason}", service.display())]
    NotSupervised {
        /// The directory.
        service: PathBuf,
        /// Why.
        reason: String,
    },
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

    /// The error for a file of the supervisor that cannot be read or is not a regular file.
    pub(crate) fn unreadable(path: &Path, reason: ReadError) -> Self {
        let reason = match reason {
            ReadError::Io(error) => error,
            not_a_file => io::Error::new(io::ErrorKind::InvalidData, format!("{not_a_file}: remove it")),
        };
        Self::io("read", path, reason)
    }
}

impl From<log_store::Error> for Error {
    fn from(log_store::Error { action, path, reason }: log_store::Error) -> Self {
        Self::Io { action, path, reason }
    }
}
