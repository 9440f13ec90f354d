//! Why something about an app on disk could not be read or changed, split by who must act.

use std::io;
use std::path::{Path, PathBuf};

use durable::WriteError;
use formation::InvalidAppName;

/// A refusal or failure around apps on disk.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user: no app of that name.
    #[error("app {app} does not exist in {}{hint}", searched.display())]
    NoSuchApp {
        /// The name asked for.
        app: String,
        /// The directory that was searched.
        searched: PathBuf,
        /// Where else to look, empty if there is nothing to say.
        hint: String,
    },
    /// The user: not a name for an app.
    #[error(transparent)]
    InvalidAppName(#[from] InvalidAppName),
    /// The user: the name is taken by something that is no app.
    #[error("an app cannot be called {app}: {reason}; choose another name")]
    ReservedAppName {
        /// The name asked for.
        app: String,
        /// Who uses it.
        reason: String,
    },
    /// The user: try again, or wait for the other one.
    #[error("{app} is locked by {holder}: {way_out}")]
    Busy {
        /// The app.
        app: String,
        /// Pid and command of the holder.
        holder: String,
        /// What to do, in the words of the home that we are in.
        way_out: String,
    },
    /// The operator: a file holds what nobody can have meant.
    #[error("{}{}: {reason}", path.display(), line.map(|n| format!(", line {n}")).unwrap_or_default())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The line, from 1, if there is one.
        line: Option<usize>,
        /// What is wrong, and the way to reset it.
        reason: String,
    },
    /// The operator: neither roots nor a home directory to put them in.
    #[error("no place for apps: set DOKKU_ROOT and DOKKU_LIB_ROOT, or HOME")]
    NoRoots,
    /// The operator: the system refused. It says why itself, so the reason is no `source`: nobody reads it twice.
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
}

impl From<WriteError> for Error {
    fn from(WriteError { action, path, reason }: WriteError) -> Self {
        Self::Io { action, path, reason }
    }
}
