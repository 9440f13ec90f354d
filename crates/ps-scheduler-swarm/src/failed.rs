//! Turns a fault of the engine or of the swarm into an error of a verb.

use formation::AppName;
use ps_engine::{Fault, SwarmFault};
use ps_scheduler::Error;

/// The scheduler's error for a fault of the engine; `context` is what was being done.
pub(crate) fn failed(fault: &Fault, context: &str) -> Error {
    if fault.is_silence() { unreachable(fault.reason()) } else { backend(context, fault.to_string()) }
}

/// The same for a call to the swarm. An unknown result is reported as unknown, never as a failure.
pub(crate) fn of_swarm(fault: &SwarmFault, context: &str) -> Error {
    match fault {
        SwarmFault::Refused(fault) => backend(context, fault.to_string()),
        SwarmFault::NotManager(_) => backend(
            context,
            "this engine is no manager of a swarm: run docker swarm init here, or set DOCKER_HOST to the socket of a manager"
                .to_owned(),
        ),
        SwarmFault::Unanswered(Fault::Silent { socket, asked, reason }) => {
            Error::Unreachable { backend: ps_engine::engine(socket, *asked), reason: reason.clone() }
        }
        SwarmFault::OutOfSequence(_) | SwarmFault::NoQuorum(_) | SwarmFault::Unanswered(_) => {
            unreachable(&fault.to_string())
        }
        SwarmFault::Unknown(_) => unreachable(&format!("{fault} ({context}): run the verb again, which looks first")),
    }
}

/// The same error of a verb which had begun to change something when the swarm fell silent: nobody knows how far the swarm has come with that.
/// `what` is the verb as a noun.
pub(crate) fn unknown(error: Error, what: &str, app: &AppName) -> Error {
    match error {
        Error::Unreachable { backend, reason } if !reason.contains("unknown") => Error::Unreachable {
            backend,
            reason: format!(
                "unknown: how far {what} has come; ask again with ps-lifecycle status {app}, and then the same verb again, which looks first \
                 ({reason})"
            ),
        },
        error => error,
    }
}

/// The error of something outside this program.
pub(crate) fn backend(context: &str, reason: String) -> Error {
    Error::Backend { context: context.to_owned(), reason }
}

/// The error of a swarm that does not answer, or cannot.
pub(crate) fn unreachable(reason: &str) -> Error {
    Error::Unreachable { backend: "the swarm".to_owned(), reason: reason.to_owned() }
}
