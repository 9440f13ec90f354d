//! Why a call to the engine failed, and what a person can do about it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::errors::Error as BollardError;

use crate::deadline::SHORT;

/// A failed call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The engine answered that it refused the call, or failed.
    #[error("{} refused: {message}", engine(socket, Some(*asked)))]
    Refused {
        /// The socket of the engine.
        socket: PathBuf,
        /// What the engine was asked to do.
        asked: &'static str,
        /// The HTTP status of the answer.
        status: u16,
        /// The message of the answer.
        message: String,
    },
    /// The engine did not answer, or not in time.
    #[error("{} did not answer: {reason}", engine(socket, *asked))]
    Silent {
        /// The socket.
        socket: PathBuf,
        /// What the engine was asked to do: `list containers`. `None`: no call could be made at all.
        asked: Option<&'static str>,
        /// The reason, and what to do.
        reason: String,
    },
    /// The answer is not one of a Docker engine.
    #[error("{}, asked to {asked}, gave no answer of a Docker engine: {reason}", socket.display())]
    Garbled {
        /// The socket.
        socket: PathBuf,
        /// What the engine was asked to do.
        asked: &'static str,
        /// What is wrong with the answer.
        reason: String,
    },
    /// `DOCKER_HOST` names an engine on another machine.
    #[error("the Docker engine at DOCKER_HOST={host} did not answer: {reason}")]
    Elsewhere {
        /// The value of the variable.
        host: String,
        /// Why this engine is not used, and what to do.
        reason: String,
    },
    /// The client could not be set up.
    #[error("prepare to talk to Docker: {0}")]
    Unprepared(String),
}

impl Fault {
    /// The engine gave no answer within `deadline`.
    pub(crate) fn late(socket: &Path, asked: &'static str, deadline: Duration) -> Self {
        Self::unanswered(socket, asked, &format!("no answer within {} s", deadline.as_secs()))
    }

    /// The engine was late a moment ago, when it was asked to do `first`; it got a moment more, and gave no answer.
    pub(crate) fn still_silent(socket: &Path, asked: &'static str, first: &str) -> Self {
        Self::unanswered(socket, asked, &format!("it still gives no answer, as when it was asked to {first}"))
    }

    fn unanswered(socket: &Path, asked: &'static str, how: &str) -> Self {
        let reason = format!("{how}: look at the engine's log, restart it, then try again");
        Self::Silent { socket: socket.to_owned(), asked: Some(asked), reason }
    }

    /// The engine began to answer and stopped in the middle.
    pub(crate) fn broke_off(socket: &Path, asked: &'static str, how: &str) -> Self {
        let reason = format!("it broke off ({how}): look at the engine's log, then try again");
        Self::Silent { socket: socket.to_owned(), asked: Some(asked), reason }
    }

    /// Whether the container or image does not exist.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// Whether the state of the container does not permit the call: it does not run, or its name is already in use.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused { status: 409, .. })
    }

    /// Whether the engine did not answer at all, so that another call will probably fail as well.
    pub fn is_silence(&self) -> bool {
        match self {
            Self::Silent { .. } | Self::Elsewhere { .. } | Self::Unprepared(_) => true,
            Self::Refused { .. } | Self::Garbled { .. } => false,
        }
    }

    /// The message of the engine, or the reason why there was no answer, without the socket.
    pub fn reason(&self) -> &str {
        match self {
            Self::Refused { message: reason, .. }
            | Self::Silent { reason, .. }
            | Self::Garbled { reason, .. }
            | Self::Elsewhere { reason, .. }
            | Self::Unprepared(reason) => reason,
        }
    }

    /// The fault for an error of bollard, for a call to the engine at `socket`.
    pub(crate) fn of(socket: &Path, asked: &'static str, error: BollardError) -> Self {
        let garbled = |reason: String| Self::Garbled { socket: socket.to_owned(), asked, reason };
        match error {
            BollardError::DockerResponseServerError { status_code, message } => {
                let message = if message.is_empty() { format!("HTTP status {status_code}") } else { message };
                let message = without_code(&message).to_owned();
                Self::Refused { socket: socket.to_owned(), asked, status: status_code, message }
            }
            BollardError::IOError { err } => match unconnected(&err) {
                Some(reason) => Self::Silent { socket: socket.to_owned(), asked: None, reason },
                None => Self::broke_off(socket, asked, &err.to_string()),
            },
            BollardError::RequestTimeoutError => Self::late(socket, asked, SHORT),
            BollardError::JsonDataError { message, .. } => garbled(message),
            BollardError::JsonSerdeError { err } => garbled(err.to_string()),
            BollardError::HyperResponseError { err } if err.is_parse() => garbled(err.to_string()),
            BollardError::HyperResponseError { err } => Self::broke_off(socket, asked, &err.to_string()),
            other => garbled(other.to_string()),
        }
    }
}

/// A message without the code that managers of a swarm put before it, for programs: `rpc error: code = Unknown desc = `.
fn without_code(message: &str) -> &str {
    let coded = message.strip_prefix("rpc error: code = ").and_then(|rest| rest.split_once(" desc = "));
    coded.map_or(message, |(_, said)| said)
}

/// The engine, and what it was asked to do, as the subject of a sentence.
pub fn engine(socket: &Path, asked: Option<&str>) -> String {
    let socket = socket.display();
    asked.map_or_else(
        || format!("the Docker engine at {socket}"),
        |asked| format!("the Docker engine at {socket}, asked to {asked},"),
    )
}

/// Why the engine could not be reached, and what to do; `None` if it was reached.
fn unconnected(error: &io::Error) -> Option<String> {
    let way_out = "start it, or set DOCKER_HOST to the socket of one that runs";
    match error.kind() {
        io::ErrorKind::NotFound => Some(format!("there is no such socket: {way_out}")),
        io::ErrorKind::ConnectionRefused => Some(format!("nothing listens there: {way_out}")),
        io::ErrorKind::PermissionDenied => Some(
            "permission denied: join the group that owns the socket (usually docker), or run as root"
                .to_owned(),
        ),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            Some("it does not take connections: restart it, then try again".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_manager_says_to_programs_is_left_out_of_its_message() {
        let of = |message: &str| {
            let message = message.to_owned();
            let error = BollardError::DockerResponseServerError { status_code: 500, message };
            Fault::of(Path::new("/s"), "list services", error).reason().to_owned()
        };
        let said = "The swarm does not have a leader.";
        assert_eq!(of(&format!("rpc error: code = Unknown desc = {said}")), said);
        for other in [said, "rpc error: of another form", "a desc = b"] {
            assert_eq!(of(other), other);
        }
    }
}
