//! Turns a fault of the engine into an error of a verb.

use ps_engine::Fault;
use ps_scheduler::Error;

/// The scheduler's error for a fault; `context` is what was being done.
pub(crate) fn failed(fault: Fault, context: impl Into<String>) -> Error {
    match fault {
        Fault::Silent { socket, asked, reason } => {
            Error::Unreachable { backend: ps_engine::engine(&socket, asked), reason }
        }
        Fault::Elsewhere { host, reason } => {
            Error::Unreachable { backend: format!("the Docker engine at DOCKER_HOST={host}"), reason }
        }
        Fault::Unprepared(reason) => {
            Error::Backend { context: "prepare to talk to Docker".to_owned(), reason }
        }
        fault @ (Fault::Refused { .. } | Fault::Garbled { .. }) => {
            Error::Backend { context: context.into(), reason: fault.to_string() }
        }
    }
}
