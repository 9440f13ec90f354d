//! Why something about an app on disk could not be read or changed. The variants are split by who has to act.

use std::io;
use std::path::{Path, PathBuf};

use durable::WriteError;
use formation::InvalidAppName;

/// A refusal or failure around apps on disk.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user has to act: there is no app of that name.
    #[error("app {app} does not exist in {}{hint}", searched.display())]
    NoSuchApp {
        /// The name.
        app: String,
        /// The directory that was searched.
        searched: PathBuf,
        /// Where else to look, empty if there is nothing to say.
        hint: String,
    },
    /// The user has to act: the word is no name for an app.
    #[error(transparent)]
    InvalidAppName(#[from] InvalidAppName),
    /// The user has to act: the name is in use for something other than an app.
    #[error("an app cannot be called {app}: {reason}; choose another name")]
    ReservedAppName {
        /// The name asked for.
        app: String,
        /// The user of the name.
        reason: String,
    },
    /// The user has to act: try again, or wait for the other program.
    #[error("{app} is locked by {holder}: {way_out}")]
    Busy {
        /// The app.
        app: String,
        /// Pid and command of the program that holds the lock.
        holder: String,
        /// What to do, in the words for inside or outside of Dokku.
        way_out: String,
    },
    /// The operator has to act: the content of a file is invalid.
    #[error("{}{}: {reason}", path.display(), line.map(|n| format!(", line {n}")).unwrap_or_default())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The line, from 1, if there is one.
        line: Option<usize>,
        /// What is wrong, and the way to reset it.
        reason: String,
    },
    /// The user has to act: the word names no world.
    #[error(
        "{word} is no world: name {}a directory with home and lib, or an empty one for a new world",
        listed(known)
    )]
    NoWorld {
        /// What was asked for.
        word: String,
        /// The worlds that exist.
        known: Vec<String>,
    },
    /// The operator has to act: DOKKU_ROOT, DOKKU_LIB_ROOT and HOME are all unset, so there is no directory for apps.
    #[error("no place for apps: set DOKKU_ROOT and DOKKU_LIB_ROOT, or HOME")]
    NoRoots,
    /// The operator has to act: the system does not permit to create the directories of all apps. The reason is part of this message, as
    /// in [`Error::Io`].
    #[error(
        "{action} {}: {reason}; to keep apps elsewhere, set DOKKU_ROOT and DOKKU_LIB_ROOT to directories that you may write",
        path.display()
    )]
    NoPlace {
        /// What was being done: `create`.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// The operator has to act: the system refused. The reason is part of this message, so it is no `source`: printing the
    /// whole chain would show it twice.
    #[error("{action} {}: {reason}", path.display())]
    Io {
        /// What was being done: `read`, `write`, `create`.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
}

impl Error {
    /// An [`Error::Io`].
    pub fn io(action: &'static str, path: &Path, reason: impl Into<io::Error>) -> Self {
        Self::Io { action, path: path.to_owned(), reason: reason.into() }
    }

    /// An [`Error::NoPlace`] if the system does not permit it, else an [`Error::Io`].
    pub(crate) fn no_place(WriteError { action, path, reason }: WriteError) -> Self {
        match reason.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::NoPlace { action, path, reason }
            }
            _ => Self::Io { action, path, reason },
        }
    }
}

impl From<WriteError> for Error {
    fn from(WriteError { action, path, reason }: WriteError) -> Self {
        Self::Io { action, path, reason }
    }
}

fn listed(names: &[String]) -> String {
    names.iter().flat_map(|name| [name, ", "]).collect()
}
