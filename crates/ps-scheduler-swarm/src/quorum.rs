//! Whether more than half of a swarm's managers are there. For about a quarter of a minute after they are not, a leader goes on answering with
//! what it knew before; only its list of the managers tells. Pure.

use jiff::Timestamp;
use ps_scheduler::cluster::NO_QUORUM;
use serde_json::Value;

/// A quorum that is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    /// How many managers there are.
    managers: usize,
    /// Those that do not answer.
    missing: Vec<String>,
}

impl Lost {
    /// What the manager's list of nodes says; `None`: more than half of the managers are there.
    pub(crate) fn of(nodes: &Value) -> Option<Self> {
        let reach = |node: &Value| node["ManagerStatus"]["Reachability"].as_str().map(str::to_owned);
        let managers: Vec<(&Value, String)> =
            nodes.as_array().into_iter().flatten().filter_map(|node| Some((node, reach(node)?))).collect();
        let (there, gone): (Vec<_>, Vec<_>) = managers.iter().partition(|(_, reach)| reach == "reachable");
        if there.len() * 2 > managers.len() || managers.is_empty() {
            return None;
        }
        let name = |node: &Value| node["Description"]["Hostname"].as_str().unwrap_or("a manager").to_owned();
        let mut missing: Vec<String> = gone.into_iter().map(|(node, _)| name(node)).collect();
        missing.sort();
        Some(Self { managers: managers.len(), missing })
    }

    /// What is wrong and what to do, as one sentence. `latest`: the newest change that the manager knows of.
    pub(crate) fn said(&self, latest: Option<Timestamp>) -> String {
        format!(
            "{NO_QUORUM}: {} of its {} managers do not answer, and {}; what runs goes on running, and nothing can be changed until \
             more than half of the managers are back: bring them back, or run docker swarm init --force-new-cluster on one that is left",
            self.missing.join(", "),
            self.managers,
            newest(latest),
        )
    }
}

/// How new what is known is, as a clause.
pub(crate) fn newest(latest: Option<Timestamp>) -> String {
    match latest {
        Some(at) => format!("nothing is known that is newer than {at:.0}"),
        None => "nothing newer is known".to_owned(),
    }
}

/// When the manager last recorded a change of a node.
pub(crate) fn latest(nodes: &Value) -> Option<Timestamp> {
    let changed = nodes.as_array().into_iter().flatten().filter_map(|node| node["UpdatedAt"].as_str());
    changed.filter_map(|at| at.parse().ok()).max()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn nodes(reach: &[&str]) -> Value {
        let node = |(index, reach): (usize, &&str)| {
            let mut node = json!({
                "Description": {"Hostname": format!("n{index}")}, "UpdatedAt": format!("2026-11-28T18:1{index}:00.5Z"),
            });
            if !reach.is_empty() {
                node["ManagerStatus"] = json!({"Reachability": reach});
            }
            node
        };
        reach.iter().enumerate().map(node).collect()
    }

    #[test]
    fn a_quorum_is_more_than_half_of_the_managers_and_workers_are_none() {
        let (yes, no) = ("reachable", "unreachable");
        for there in [&[yes][..], &[yes, yes, no], &[yes, no, yes, yes, no], &[yes, "", ""], &[]] {
            assert_eq!(Lost::of(&nodes(there)), None, "{there:?}");
        }
        for gone in [&[yes, no, no][..], &[yes, no], &[yes, yes, no, no], &[yes, "unknown", no, "", ""]] {
            assert!(Lost::of(&nodes(gone)).is_some(), "{gone:?}");
        }
    }

    #[test]
    fn a_lost_quorum_is_said_with_the_missing_managers_the_newest_time_and_the_way_out() {
        let nodes = nodes(&["reachable", "unreachable", "unreachable"]);
        let said = Lost::of(&nodes).expect("two are gone").said(latest(&nodes));
        assert!(said.contains("n1, n2 of its 3 managers do not answer"), "{said}");
        assert!(said.contains("newer than 2026-11-28T18:12:00Z; what runs goes on"), "{said}");
        assert!(said.ends_with("docker swarm init --force-new-cluster on one that is left"), "{said}");
    }
}
