//! Why something about an app inside Dokku could not be done.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;

use durable::WriteError;
use procfile::{EnvFileError, ParseError};

use crate::trigger_failed::TriggerFailed;

/// A refusal or failure inside Dokku.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user: a deploy is under way; try again when it has ended.
    #[error("{app} is locked by {holder}: {way_out}")]
    Deploying {
        /// The app.
        app: String,
        /// The build that holds the lock.
        holder: String,
        /// What to do.
        way_out: String,
    },
    /// The operator: `apps:lock` keeps the app as it is.
    #[error(
        "{app} currently has a deploy lock in place. Exiting...\nRun 'apps:unlock' to release the existing deploy lock"
    )]
    DeployLocked {
        /// The app.
        app: String,
    },
    /// A hook's author: a hook failed.
    #[error(transparent)]
    Trigger(#[from] TriggerFailed),
    /// The operator: nobody could be called.
    #[error(transparent)]
    Triggers(#[from] ps_triggers::Error),
    /// Dokku's front-end has not said which deploy is under way.
    #[error("DOKKU_PID is {0:?}, not a process id: Dokku's front-end sets it")]
    NoDeploy(String),
    /// The user: the Procfile that is to be deployed makes no sense.
    #[error("Invalid Procfile: {0}")]
    BadProcfile(ParseError),
    /// The user: the property names a place outside the source.
    #[error("procfile-path {path:?} leads outside the app's source: use a path inside it")]
    Outside {
        /// The value of the property.
        path: String,
    },
    /// The user: what lies at the path cannot be taken for a Procfile.
    #[error("Unable to extract Procfile from {path:?}: {reason}")]
    Unreadable {
        /// The path inside the source.
        path: String,
        /// What is wrong with what lies there.
        reason: io::Error,
    },
    /// The operator: the image that is to be deployed could not be looked into.
    #[error(transparent)]
    Image(Box<dyn StdError + Send + Sync>),
    /// The operator: an env file that Dokku keeps makes no sense.
    #[error("{}", path.display())]
    BadEnvFile {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its line.
        source: EnvFileError,
    },
    /// The operator: the system refused.
    #[error("{what}")]
    Io {
        /// What was being done, to what.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// The operator: the system refused a file that is written whole or not at all.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Something that is stored of the app cannot be read or written.
    #[error(transparent)]
    Apps(#[from] ps_apps::Error),
}

impl Error {
    /// For `map_err`: what was being done when the system refused.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        |source| Self::Io { what, source }
    }
}
