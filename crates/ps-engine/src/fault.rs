//! Why a call to the engine failed, and what a person is told about it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::errors::Error as BollardError;

/// A failed call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The engine answered that it will not or cannot do it.
    #[error("{message}")]
    Refused {
        /// The HTTP status of its answer.
        status: u16,
        /// Its words.
        message: String,
    },
    /// It did not answer, or not in time.
    #[error("{} did not answer: {reason}", engine(socket, *asked))]
    Silent {
        /// Where it was looked for.
        socket: PathBuf,
        /// What it was to do: `list containers`. `None`: nobody could be asked.
        asked: Option<&'static str>,
        /// Why, and what to do.
        reason: String,
    },
    /// It answered what nobody understands.
    #[error("{}, asked to {asked}, gave no answer of a Docker engine: {reason}", socket.display())]
    Garbled {
        /// Who answered.
        socket: PathBuf,
        /// What it was to do.
        asked: &'static str,
        /// What is wrong with the answer.
        reason: String,
    },
    /// `DOCKER_HOST` names an engine on another machine.
    #[error("the Docker engine at DOCKER_HOST={host} did not answer: {reason}")]
    Elsewhere {
        /// The value of the variable.
        host: String,
        /// Why it is not used, and what to do.
        reason: String,
    },
    /// The client itself could not be made ready.
    #[error("prepare to talk to Docker: {0}")]
    Unprepared(String),
}

impl Fault {
    /// No answer within `deadline`.
    pub(crate) fn late(socket: &Path, asked: &'static str, deadline: Duration) -> Self {
        let reason = format!(
            "no answer within {} s: look at the engine's log, restart it, then try again",
            deadline.as_secs()
        );
        Self::Silent { socket: socket.to_owned(), asked: Some(asked), reason }
    }

    /// It began to answer, and stopped.
    pub(crate) fn broke_off(socket: &Path, asked: &'static str, how: &str) -> Self {
        let reason = format!("it broke off ({how}): look at the engine's log, then try again");
        Self::Silent { socket: socket.to_owned(), asked: Some(asked), reason }
    }

    /// Whether there is no such container or image.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// Whether the container is in no state for it: it does not run, or its name is taken.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused { status: 409, .. })
    }

    /// Whether the engine could not be asked, so that asking it something else is likely to be in vain too.
    pub fn is_silence(&self) -> bool {
        match self {
            Self::Silent { .. } | Self::Elsewhere { .. } | Self::Unprepared(_) => true,
            Self::Refused { .. } | Self::Garbled { .. } => false,
        }
    }

    /// What the engine said, or why it said nothing, without where it was looked for.
    pub fn reason(&self) -> &str {
        match self {
            Self::Refused { message: reason, .. }
            | Self::Silent { reason, .. }
            | Self::Garbled { reason, .. }
            | Self::Elsewhere { reason, .. }
            | Self::Unprepared(reason) => reason,
        }
    }

    /// What bollard calls it, said of the engine at `socket`.
    pub(crate) fn of(socket: &Path, asked: &'static str, error: BollardError) -> Self {
        let silent = |asked: Option<&'static str>, reason: String| Self::Silent {
            socket: socket.to_owned(),
            asked,
            reason,
        };
        let garbled = |reason: String| Self::Garbled { socket: socket.to_owned(), asked, reason };
        match error {
            BollardError::DockerResponseServerError { status_code, message } => {
                let message = if message.is_empty() { format!("HTTP status {status_code}") } else { message };
                Self::Refused { status: status_code, message }
            }
            BollardError::IOError { err } => silent(None, unconnected(&err)),
            BollardError::RequestTimeoutError => silent(Some(asked), "no answer in time".to_owned()),
            BollardError::JsonDataError { message, .. } => garbled(message),
            BollardError::JsonSerdeError { err } => garbled(err.to_string()),
            BollardError::HyperResponseError { err } if err.is_parse() => garbled(err.to_string()),
            BollardError::HyperResponseError { err } => Self::broke_off(socket, asked, &err.to_string()),
            other => garbled(other.to_string()),
        }
    }
}

/// The engine, and what it was asked to do, as the subject of a sentence.
pub fn engine(socket: &Path, asked: Option<&str>) -> String {
    let socket = socket.display();
    asked.map_or_else(
        || format!("the Docker engine at {socket}"),
        |asked| format!("the Docker engine at {socket}, asked to {asked},"),
    )
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
