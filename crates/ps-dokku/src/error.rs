//! Why an operation on an app inside Dokku was refused or failed.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;

use durable::WriteError;
use procfile::{EnvFileError, ParseError};

use crate::trigger_failed::TriggerFailed;

/// A refusal or failure inside Dokku.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// For the user: another deploy of the app is running. Try again when it has ended.
    #[error("{app} is locked by {holder}: {way_out}")]
    Deploying {
        /// The app.
        app: String,
        /// The build that holds the lock.
        holder: String,
        /// What the user can do.
        way_out: String,
    },
    /// For the operator: `apps:lock` protects the app from deploys.
    #[error(
        "{app} currently has a deploy lock in place. Exiting...\nRun 'apps:unlock' to release the existing deploy lock"
    )]
    DeployLocked {
        /// The app.
        app: String,
    },
    /// For the author of a hook: the hook failed.
    #[error(transparent)]
    Trigger(#[from] TriggerFailed),
    /// For the operator: the hooks of a trigger could not be run.
    #[error(transparent)]
    Triggers(#[from] ps_triggers::Error),
    /// For us: `DOKKU_PID`, by which Dokku's front-end names the deploy that runs, is not set properly.
    #[error("DOKKU_PID is {0:?}, not a process id: Dokku's front-end sets it")]
    NoDeploy(String),
    /// For the user: the Procfile that is to be deployed is not valid.
    #[error("Invalid Procfile: {0}")]
    BadProcfile(ParseError),
    /// For the user: the property names a path outside the source.
    #[error("procfile-path {path:?} leads outside the app's source: use a path inside it")]
    Outside {
        /// The value of the property.
        path: String,
    },
    /// For the user: the path leads to something that is not a readable Procfile.
    #[error("Unable to extract Procfile from {path:?}: {reason}")]
    Unreadable {
        /// The path inside the source.
        path: String,
        /// The reason why it cannot be read.
        reason: io::Error,
    },
    /// For the operator: the image that is to be deployed could not be inspected.
    #[error(transparent)]
    Image(Box<dyn StdError + Send + Sync>),
    /// For the operator: an env file that Dokku keeps cannot be read.
    #[error("{}", path.display())]
    BadEnvFile {
        /// The file.
        path: PathBuf,
        /// The problem, with its line.
        source: EnvFileError,
    },
    /// For the operator: the system refused an operation.
    #[error("{what}")]
    Io {
        /// The operation, and the file or program it was for.
        what: String,
        /// The reason that the system gave.
        source: io::Error,
    },
    /// For the operator: the system refused to write a file that is written as a whole or not at all.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Stored data of the app cannot be read or written.
    #[error(transparent)]
    Apps(#[from] ps_apps::Error),
}

impl Error {
    /// For `map_err`: names the operation that the system refused.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        |source| Self::Io { what, source }
    }
}
