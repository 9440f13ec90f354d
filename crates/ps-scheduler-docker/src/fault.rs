//! Why a call to the engine failed, and what a person is told about it.

use std::io;
use std::path::Path;
use std::time::Duration;

use bollard::errors::Error as BollardError;
use ps_scheduler::Error;

/// A failed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The engine answered with this HTTP status and these words.
    Refused { status: u16, message: String },
    /// It did not answer, for this reason.
    Silent(String),
    /// It answered what nobody understands.
    Garbled(String),
}

impl Fault {
    /// No answer within `deadline`.
    pub(crate) fn late(deadline: Duration) -> Self {
        Self::Silent(format!(
            "no answer within {} s: look at the engine's log, restart it, then try again",
            deadline.as_secs()
        ))
    }

    /// Whether there is no such container or image.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// Whether the container is in no state for it: it does not run, or its name is taken.
    pub(crate) fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused { status: 409, .. })
    }

    /// What the engine said, or why it said nothing.
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::Refused { message, .. } | Self::Silent(message) | Self::Garbled(message) => message,
        }
    }

    /// The scheduler's error: `context` is what was being done, with what.
    pub(crate) fn into_error(self, socket: &Path, context: impl Into<String>) -> Error {
        match self {
            Self::Silent(reason) => {
                Error::Unreachable { backend: format!("the Docker engine at {}", socket.display()), reason }
            }
            Self::Refused { message, .. } => Error::Backend { context: context.into(), reason: message },
            Self::Garbled(message) => Error::Backend {
                context: context.into(),
                reason: format!("{} gave no answer of a Docker engine: {message}", socket.display()),
            },
        }
    }
}

impl From<BollardError> for Fault {
    fn from(error: BollardError) -> Self {
        match error {
            BollardError::DockerResponseServerError { status_code, message } => {
                let message = if message.is_empty() { format!("HTTP status {status_code}") } else { message };
                Self::Refused { status: status_code, message }
            }
            BollardError::IOError { err } => Self::Silent(unconnected(&err)),
            BollardError::RequestTimeoutError => Self::Silent("no answer in time".to_owned()),
            BollardError::JsonDataError { message, .. } => Self::Garbled(message),
            BollardError::JsonSerdeError { err } => Self::Garbled(err.to_string()),
            BollardError::HyperResponseError { err } if err.is_parse() => Self::Garbled(err.to_string()),
            BollardError::HyperResponseError { err } => {
                Self::Silent(format!("it broke off ({err}): look at the engine's log, then try again"))
            }
            other => Self::Garbled(other.to_string()),
        }
    }
}

fn unconnected(error: &io::Error) -> String {
    let way_out = "start it, or set DOCKER_HOST to the socket of one that runs";
    match error.kind() {
        io::ErrorKind::NotFound => format!("there is no such socket: {way_out}"),
        io::ErrorKind::ConnectionRefused => format!("nothing listens there: {way_out}"),
        io::ErrorKind::PermissionDenied => {
            "permission denied: join the group that owns the socket (usually docker), or run as root"
                .to_owned()
        }
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            "it does not take connections: restart it, then try again".to_owned()
        }
        _ => format!("{error}: {way_out}"),
    }
}
