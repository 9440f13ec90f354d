//! Why a call to a swarm failed. The kind of fault decides what the caller may do next.

use crate::Fault;

/// The errors of a manager while there is no leader.
const NO_LEADER: [&str; 2] = ["does not have a leader", "too few managers are online"];
/// The error for an update that was made from an older description.
const OUT_OF_SEQUENCE: &str = "update out of sequence";
/// The errors of an engine that is a worker, or in no swarm.
const NO_MANAGER: [&str; 2] = ["not a swarm manager", "not part of a swarm"];

/// A failed call to a swarm.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SwarmFault {
    /// The call was refused, and nothing has changed: a bad specification, a name that is taken, an object that does not exist.
    #[error("{0}")]
    Refused(Fault),
    /// Somebody else has changed the object since it was read. This call has changed nothing. The object has to be read again.
    #[error("{0}: somebody else has changed it at the same time; try again")]
    OutOfSequence(Fault),
    /// It is not known whether a change was made: no answer came, or a manager in trouble gave it. The caller has to read the present
    /// state.
    #[error("{0}; whether it was done is unknown")]
    Unknown(Fault),
    /// The swarm has no leader: more than half of its managers are gone, or they are choosing a leader right now. Nothing was read or
    /// changed. Running tasks continue.
    #[error(
        "{}; what runs goes on running, and nothing can be changed or read until more than half of the managers are back: bring them back, \
         or run `docker swarm init --force-new-cluster` on one that is left",
        without_advice(.0)
    )]
    NoQuorum(Fault),
    /// This engine is a worker, or in no swarm at all.
    #[error("{0}")]
    NotManager(Fault),
    /// There was no answer, and nothing can have changed: the call only reads, or was not sent.
    #[error("{0}")]
    Unanswered(Fault),
}

/// The engine's message about a lost quorum, without its guess at the cause. The advice of this project follows it.
fn without_advice(fault: &Fault) -> String {
    let said = fault.to_string();
    said.split_once(". It's possible")
        .map_or(said.as_str(), |(said, _)| said)
        .trim_end_matches('.')
        .to_owned()
}

impl SwarmFault {
    /// Sorts the fault of a call. `is_write`: the call was to change something.
    pub(crate) fn of(fault: Fault, is_write: bool) -> Self {
        let Fault::Refused { status, message, .. } = &fault else {
            // Without a connection no request was sent.
            let was_sent = !matches!(&fault, Fault::Silent { asked: None, .. } | Fault::Unprepared(_));
            return if is_write && was_sent { Self::Unknown(fault) } else { Self::Unanswered(fault) };
        };
        let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
        match status {
            _ if says(&NO_LEADER) => Self::NoQuorum(fault),
            _ if says(&[OUT_OF_SEQUENCE]) => Self::OutOfSequence(fault),
            _ if says(&NO_MANAGER) => Self::NotManager(fault),
            500.. if is_write => Self::Unknown(fault),
            500.. => Self::Unanswered(fault),
            _ => Self::Refused(fault),
        }
    }

    /// The fault of the call.
    pub fn fault(&self) -> &Fault {
        match self {
            Self::Refused(fault)
            | Self::OutOfSequence(fault)
            | Self::Unknown(fault)
            | Self::NoQuorum(fault)
            | Self::NotManager(fault)
            | Self::Unanswered(fault) => fault,
        }
    }

    /// Whether the named object does not exist.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Refused(fault) if fault.is_gone())
    }

    /// Whether the name is taken, or the object is in use.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused(fault) if fault.is_conflict())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn answer(status: u16, message: &str, is_write: bool) -> SwarmFault {
        let message = message.to_owned();
        SwarmFault::of(Fault::Refused { socket: "/s".into(), asked: "act", status, message }, is_write)
    }

    #[test]
    fn a_change_is_only_said_to_be_refused_where_the_engine_said_so() {
        assert!(matches!(answer(400, "invalid name", true), SwarmFault::Refused(_)));
        assert!(answer(404, "service x not found", false).is_gone());
        assert!(answer(409, "name conflicts", true).is_conflict());
        let stale = "rpc error: code = Unknown desc = update out of sequence";
        assert!(matches!(answer(500, stale, true), SwarmFault::OutOfSequence(_)));
        let lost = "rpc error: code = DeadlineExceeded desc = context deadline exceeded";
        assert!(matches!(answer(500, lost, true), SwarmFault::Unknown(_)));
        assert!(matches!(answer(500, lost, false), SwarmFault::Unanswered(_)));
        let worker =
            "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state.";
        assert!(matches!(answer(503, worker, true), SwarmFault::NotManager(_)));
        let alone = "The swarm does not have a leader. It's possible that too few managers are online.";
        for is_write in [false, true] {
            let fault = answer(500, alone, is_write);
            let said = fault.to_string();
            assert!(
                matches!(fault, SwarmFault::NoQuorum(_)) && said.contains("--force-new-cluster"),
                "{said}"
            );
            assert!(said.contains("does not have a leader; what runs goes on"), "{said}");
        }
    }

    #[test]
    fn what_was_never_sent_was_never_done() {
        let late = Fault::late(Path::new("/s"), "update a service", std::time::Duration::from_secs(10));
        assert!(matches!(SwarmFault::of(late.clone(), true), SwarmFault::Unknown(_)));
        assert!(matches!(SwarmFault::of(late, false), SwarmFault::Unanswered(_)));
        let absent =
            Fault::Silent { socket: "/s".into(), asked: None, reason: "there is no such socket".to_owned() };
        assert!(matches!(SwarmFault::of(absent, true), SwarmFault::Unanswered(_)));
    }
}
