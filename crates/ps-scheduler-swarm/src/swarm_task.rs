//! A task of a service, read from the manager's list: one attempt to run an instance, whether it runs, waits or is over.

use formation::{Exit, State};
use jiff::Timestamp;
use serde_json::Value;

use crate::service;

/// How it is said that a node has refused a task.
pub(crate) const REJECTED: &str = "was rejected";
/// What an engine says before the reason for which it could not start a container.
const NOT_STARTED: &str = "starting container failed: ";
/// How it is said that a container could not be started.
pub(crate) const NEVER_STARTED: &str = "could not be started";

/// How it is said that a node has been given a task, and has said nothing of it. Its container may run nevertheless: an engine reports one task
/// after another, and a report that was on its way to a leader whose network is gone keeps the later ones back.
pub(crate) const NOT_TAKEN: &str = "was not reported by its node";

/// One task.
#[derive(Clone, Debug)]
pub(crate) struct SwarmTask {
    pub(crate) id: String,
    /// The id of its service.
    pub(crate) service: String,
    /// Which of the service's instances it is, from 1.
    pub(crate) slot: u16,
    /// The id of its node; empty while it has none.
    pub(crate) node: String,
    pub(crate) phase: Phase,
    /// Whether its node gets the image, and makes the container.
    pub(crate) is_preparing: bool,
    /// Whether it was given to its node, which has said nothing of it yet.
    pub(crate) is_given: bool,
    pub(crate) desired: Desired,
    /// The swarm's own explanation of its state; empty if there is none.
    pub(crate) reason: String,
    pub(crate) container: Option<String>,
    pub(crate) exit: Option<Exit>,
    /// Since when it is in this phase.
    pub(crate) since: Option<Timestamp>,
    /// When the swarm last changed anything about it, by the leader's clock.
    pub(crate) updated: Option<Timestamp>,
    pub(crate) revision: Option<String>,
    pub(crate) release: Option<u64>,
    /// The ports of its node by which it is reached.
    pub(crate) published: Vec<u16>,
}

/// How far a task has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// No node has been found for it.
    Pending,
    /// Its node prepares it, or it runs and its checks have not succeeded yet.
    Starting,
    Running,
    /// Ended by itself with success, or told to end.
    Complete,
    /// Ended because it was told to, or told to before it had a node.
    Shutdown,
    Failed,
    /// It could not even be started.
    Rejected,
    /// Its node has not been heard of for a day.
    Orphaned,
    /// A word that only a later version understands.
    Unknown,
}

/// What the swarm wants of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Desired {
    /// To be ready to start, when its predecessor has ended and the pause after that is over.
    Ready,
    Running,
    /// To run to its end.
    Complete,
    /// To end.
    Over,
}

impl Phase {
    fn read(word: &str) -> Self {
        match word {
            "new" | "allocated" | "pending" => Self::Pending,
            "assigned" | "accepted" | "preparing" | "ready" | "starting" => Self::Starting,
            "running" => Self::Running,
            "complete" => Self::Complete,
            "shutdown" | "remove" => Self::Shutdown,
            "failed" => Self::Failed,
            "rejected" => Self::Rejected,
            "orphaned" => Self::Orphaned,
            _ => Self::Unknown,
        }
    }

    /// Whether nothing of it runs any more, as far as its node has said.
    pub(crate) fn is_over(self) -> bool {
        match self {
            Self::Pending | Self::Starting | Self::Running | Self::Unknown => false,
            Self::Complete | Self::Shutdown | Self::Failed | Self::Rejected | Self::Orphaned => true,
        }
    }
}

impl SwarmTask {
    fn read(json: &Value) -> Option<Self> {
        let status = &json["Status"];
        let container = &status["ContainerStatus"];
        let template = &json["Spec"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let node = text(&json["NodeID"]);
        let desired = match json["DesiredState"].as_str()? {
            "ready" => Desired::Ready,
            "running" => Desired::Running,
            "complete" => Desired::Complete,
            _ => Desired::Over,
        };
        let phase = match Phase::read(status["State"].as_str()?) {
            // No node will ever say that it has ended.
            Phase::Pending if node.is_empty() && desired == Desired::Over => Phase::Shutdown,
            phase => phase,
        };
        // An engine says an exit status of a container that was never started, too, which is nobody's.
        let container_id = container["ContainerID"].as_str().filter(|id| !id.is_empty()).map(str::to_owned);
        let has_run = container_id.is_some() && !text(&status["Err"]).contains(NOT_STARTED);
        let ports = status["PortStatus"]["Ports"].as_array().into_iter().flatten();
        let mut published: Vec<u16> =
            ports.filter_map(|port| port["PublishedPort"].as_u64()?.try_into().ok()).collect();
        // An engine lists each twice.
        published.sort_unstable();
        published.dedup();
        Some(Self {
            id: text(&json["ID"]),
            service: text(&json["ServiceID"]),
            slot: json["Slot"].as_u64()?.try_into().ok()?,
            node,
            phase,
            is_preparing: status["State"] == "preparing",
            is_given: status["State"] == "assigned",
            desired,
            reason: text(&status["Err"]),
            container: container_id,
            exit: container["ExitCode"]
                .as_i64()
                .filter(|_| phase.is_over() && has_run)
                .and_then(ps_engine::exit_of),
            since: status["Timestamp"].as_str().and_then(|at| at.parse().ok()),
            updated: json["UpdatedAt"].as_str().and_then(|at| at.parse().ok()),
            revision: service::revision(template).map(str::to_owned),
            release: template["ContainerSpec"]["Labels"][crate::label::RELEASE]
                .as_str()
                .and_then(|n| n.parse().ok()),
            published,
        })
    }

    /// All of a list, the earlier one of a slot first.
    pub(crate) fn read_all(list: &Value) -> Vec<Self> {
        Self::in_order(list.as_array().into_iter().flatten().map(Self::dated))
    }

    /// A task of the list and when it was made, as a word whose order is that of time.
    pub(crate) fn dated(json: &Value) -> Option<(String, Self)> {
        Some((json["CreatedAt"].as_str().unwrap_or_default().to_owned(), Self::read(json)?))
    }

    /// The tasks of a list, the earlier one of a slot first.
    pub(crate) fn in_order(dated: impl IntoIterator<Item = Option<(String, Self)>>) -> Vec<Self> {
        let mut tasks: Vec<(String, Self)> = dated.into_iter().flatten().collect();
        tasks.sort_by(|(one, task), (other, another)| (one, &task.id).cmp(&(other, &another.id)));
        tasks.into_iter().map(|(_, task)| task).collect()
    }

    /// Whether the swarm wants it to run, now or in a moment.
    pub(crate) fn is_wanted(&self) -> bool {
        match self.desired {
            Desired::Ready | Desired::Running | Desired::Complete => true,
            Desired::Over => false,
        }
    }

    /// Whether it may still serve clients, or is about to.
    pub(crate) fn is_current(&self) -> bool {
        self.is_wanted() && !self.phase.is_over()
    }

    /// What the instance does.
    pub(crate) fn state(&self) -> State {
        match (self.phase, self.desired) {
            (Phase::Pending | Phase::Starting, Desired::Ready) => State::Backoff,
            (Phase::Pending, _) => State::Waiting,
            (Phase::Starting | Phase::Running, Desired::Over) => State::Stopping,
            (Phase::Starting, _) => State::Starting,
            (Phase::Running, _) => State::Running,
            (Phase::Complete | Phase::Shutdown, _) => State::Stopped,
            (Phase::Failed | Phase::Rejected, _) => State::Crashed,
            (Phase::Orphaned, _) => State::Missing,
            (Phase::Unknown, _) => State::Unknown,
        }
    }

    /// Why its container could not be started, so that nothing of it ever ran; `None` if it was.
    pub(crate) fn never_started(&self) -> Option<&str> {
        let (_, why) = self.reason.split_once(NOT_STARTED).filter(|_| self.phase.is_over())?;
        // The names of an endpoint are long, and nobody knows them.
        let of_port = why.strip_prefix("driver failed programming external connectivity on endpoint ");
        Some(of_port.and_then(|rest| rest.split_once("): ")).map_or(why, |(_, why)| why))
    }

    /// How it ended, as a phrase that follows the name of its slot; `None` if it has not.
    pub(crate) fn end_in_words(&self) -> Option<String> {
        let why = plain(&self.reason);
        if let Some(why) = self.never_started() {
            return Some(format!("{NEVER_STARTED}: {why}"));
        }
        match self.phase {
            Phase::Rejected => Some(format!("{REJECTED}: {why}")),
            Phase::Failed if self.reason.contains("unhealthy container") => Some(
                "did not pass its checks, which the /bin/sh of its image makes, and was ended".to_owned(),
            ),
            Phase::Failed | Phase::Complete => Some(match self.exit {
                Some(exit) => format!("ended with {exit}"),
                None if why.is_empty() => "ended".to_owned(),
                None => format!("failed: {why}"),
            }),
            Phase::Shutdown => Some("was told to end".to_owned()),
            Phase::Orphaned => Some("is on a node of which nothing has been heard for a day".to_owned()),
            Phase::Pending | Phase::Starting | Phase::Running | Phase::Unknown => None,
        }
    }
}

/// A reason of the swarm without what is said before each.
pub(crate) fn plain(reason: &str) -> &str {
    reason.strip_prefix("task: ").unwrap_or(reason)
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;
    use crate::label;

    /// A task of the service of a type, as a manager lists it.
    pub(crate) fn listed(process_type: &str, slot: u16, state: &str, desired: &str, revision: &str) -> Value {
        json!({
            "ID": format!("{process_type}-{slot}-{revision}-{state}"), "ServiceID": format!("id-{process_type}"),
            "Slot": slot, "NodeID": "n1", "DesiredState": desired, "CreatedAt": "2026-11-27T10:00:00.1Z",
            "Status": {"State": state, "Timestamp": "2026-11-27T10:00:01.5Z"},
            "Spec": {"ContainerSpec": {"Labels": {label::REVISION: revision}}},
        })
    }

    fn one(json: &Value) -> SwarmTask {
        SwarmTask::read_all(&json!([json])).remove(0)
    }

    #[test]
    fn each_pair_of_what_is_and_what_is_wanted_has_a_meaning() {
        for (phase, desired, state) in [
            ("pending", "running", State::Waiting),
            ("preparing", "running", State::Starting),
            ("starting", "running", State::Starting),
            ("ready", "ready", State::Backoff),
            ("running", "running", State::Running),
            ("running", "shutdown", State::Stopping),
            ("running", "remove", State::Stopping),
            ("complete", "shutdown", State::Stopped),
            ("shutdown", "shutdown", State::Stopped),
            ("failed", "shutdown", State::Crashed),
            ("rejected", "shutdown", State::Crashed),
            ("orphaned", "shutdown", State::Missing),
            ("of a later version", "running", State::Unknown),
        ] {
            assert_eq!(one(&listed("web", 1, phase, desired, "r")).state(), state, "{phase}, {desired}");
        }
    }

    #[test]
    fn what_is_told_to_end_before_it_has_a_node_is_over_and_what_has_one_ends_there() {
        let mut json = listed("web", 1, "pending", "shutdown", "r");
        assert!(!one(&json).phase.is_over());
        json["NodeID"] = json!("");
        assert!(one(&json).phase.is_over());
        json["DesiredState"] = json!("running");
        assert!(!one(&json).phase.is_over());
    }

    #[test]
    fn an_end_is_told_in_plain_words() {
        let mut json = listed("web", 1, "failed", "shutdown", "r");
        json["Status"]["Err"] = json!("task: non-zero exit (3)");
        json["Status"]["ContainerStatus"] = json!({"ContainerID": "c", "ExitCode": 3});
        assert_eq!(one(&json).end_in_words().as_deref(), Some("ended with exit status 3"));
        json["Status"]["Err"] = json!("task: non-zero exit (137): dockerexec: unhealthy container");
        assert_eq!(
            one(&json).end_in_words().as_deref(),
            Some("did not pass its checks, which the /bin/sh of its image makes, and was ended")
        );
        let mut json = listed("web", 1, "rejected", "shutdown", "r");
        json["Status"]["Err"] = json!("No such image: shop:2");
        assert_eq!(one(&json).end_in_words().as_deref(), Some("was rejected: No such image: shop:2"));
        assert_eq!(one(&listed("web", 1, "running", "running", "r")).end_in_words(), None);
        let mut json = listed("web", 1, "failed", "shutdown", "r");
        json["Status"]["ContainerStatus"] = json!({"ContainerID": "c", "ExitCode": 128});
        for (said, told) in [
            (
                "driver failed programming external connectivity on endpoint shop_web.1.b2h (7b8e): Error starting userland proxy: listen \
                 tcp4 0.0.0.0:80: bind: address already in use",
                "Error starting userland proxy: listen tcp4 0.0.0.0:80: bind: address already in use",
            ),
            ("exec: \"serve\": not found", "exec: \"serve\": not found"),
        ] {
            json["Status"]["Err"] = json!(format!("starting container failed: {said}"));
            assert_eq!(one(&json).end_in_words(), Some(format!("could not be started: {told}")));
        }
    }

    #[test]
    fn a_port_that_an_engine_lists_twice_is_one() {
        let mut json = listed("web", 1, "running", "running", "r");
        json["Status"]["PortStatus"] = json!({"Ports": [{"PublishedPort": 30001}, {"PublishedPort": 30001}]});
        assert_eq!(one(&json).published, [30001]);
    }
}
