//! Whose a port of the nodes is that an instance waits for. A swarm says only on how many nodes it is in use. Pure.

use serde_json::{Value, json};

use crate::service::Service;

/// What a swarm says of a task for whose port no node is free.
const IN_USE: &str = "host-mode port already in use";

/// Whether a reason of the swarm is about such a port.
pub(crate) fn is_reason(reason: &str) -> bool {
    reason.contains(IN_USE)
}

/// Whether this is the only reason: no node is missing that could be free when it comes back.
pub(crate) fn is_only_reason(reason: &str) -> bool {
    let reasons = reason.split_once("no suitable node (").map_or("", |(_, reasons)| reasons);
    reasons.starts_with(IN_USE) && !reasons.contains(';')
}

/// Whose the ports are that a service is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owners {
    /// A clause behind the reason of the swarm.
    pub(crate) said: String,
    /// Whether they are other services that are to keep running: then waiting does not help.
    pub(crate) are_others: bool,
}

/// Whose the ports of the nodes are that a service is to have. `all` is the manager's list of all services. `None`: the service has no fixed
/// port of its nodes.
pub(crate) fn owners(service: &Service, all: &Value) -> Option<Owners> {
    let ports = of_nodes(&service.spec);
    let is_wanted = |other: &&Value| other["Spec"]["Mode"]["Replicated"]["Replicas"] != 0;
    let others = all.as_array().into_iter().flatten().filter(|other| other["ID"] != *service.id);
    let others = others.filter(is_wanted);
    let held = others.flat_map(|other| {
        let name = other["Spec"]["Name"].as_str().unwrap_or_default();
        of_nodes(&other["Spec"]).into_iter().filter(|port| ports.contains(port)).map(move |port| (port, name))
    });
    let (app, process_type) = (&service.app, &service.process_type);
    let held: Vec<String> =
        held.map(|(port, name)| format!("port {port} is that of the service {name}")).collect();
    if let Some(first) = ports.first().filter(|_| held.is_empty()) {
        let said = format!("at port {first} each node has one instance of {process_type} at most");
        return Some(Owners { said, are_others: false });
    }
    let said = || format!("{}: choose another with ps-set {app} {process_type}.port", held.join(", "));
    (!held.is_empty()).then(|| Owners { said: said(), are_others: true })
}

/// What to do where a container could not be started because something that is not of the swarm has its port; empty if that is not why.
pub(crate) fn advice(service: &Service, why: &str) -> String {
    if !why.contains("address already in use") && !why.contains("port is already allocated") {
        return String::new();
    }
    let (app, process_type) = (&service.app, &service.process_type);
    format!(
        "; something else has that port there: end it, or choose another with ps-set {app} {process_type}.port"
    )
}

/// The services of a list that have this fixed port of their nodes, by their ids, with their names.
pub(crate) fn holders(port: u16, all: &Value) -> Vec<(&str, &str)> {
    let has_it = |other: &&Value| of_nodes(&other["Spec"]).contains(&u64::from(port));
    all.as_array()
        .into_iter()
        .flatten()
        .filter(has_it)
        .filter_map(|other| Some((other["ID"].as_str()?, other["Spec"]["Name"].as_str()?)))
        .collect()
}

/// What of a service [`owners`] reads.
pub(crate) fn outline(json: &Value) -> Value {
    json!({
        "ID": json["ID"],
        "Spec": { "Name": json["Spec"]["Name"], "Mode": json["Spec"]["Mode"], "EndpointSpec": json["Spec"]["EndpointSpec"] },
    })
}

/// The fixed ports of its nodes that a specification publishes.
fn of_nodes(spec: &Value) -> Vec<u64> {
    let ports = spec["EndpointSpec"]["Ports"].as_array().into_iter().flatten();
    let of_nodes = ports.filter(|port| port["PublishMode"] == "host");
    of_nodes.filter_map(|port| port["PublishedPort"].as_u64()).filter(|port| *port > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::tests::described;

    #[test]
    fn a_node_that_is_missing_may_be_free() {
        let only = "no suitable node (host-mode port already in use on 3 nodes)";
        assert!(is_reason(only) && is_only_reason(only));
        for other in [
            "no suitable node (host-mode port already in use on 2 nodes; 1 node not available for new tasks)",
            "no suitable node (1 node not available for new tasks; host-mode port already in use on 2 nodes)",
        ] {
            assert!(is_reason(other) && !is_only_reason(other), "{other}");
        }
        assert!(!is_only_reason("no suitable node (insufficient resources on 1 node)"));
    }

    fn published(process_type: &str, name: &str, mode: &str, port: u64) -> Value {
        let mut json = described(process_type, 1, "r");
        json["ID"] = json!(format!("id of {name}"));
        json["Spec"]["Name"] = json!(name);
        json["Spec"]["EndpointSpec"] = json!({"Ports": [{"PublishMode": mode, "PublishedPort": port}]});
        json
    }

    #[test]
    fn the_service_that_publishes_the_same_port_of_the_nodes_is_named() {
        let own = published("web", "shop_web", "host", 8080);
        let service = Service::read(&own).expect("one of ours");
        let owners =
            |others: &[Value]| owners(&service, &json!([std::slice::from_ref(&own), others].concat()));
        let said = owners(&[
            published("web", "elsewhere_web", "host", 9000),
            published("web", "mesh_web", "ingress", 8080),
            published("web", "other_web", "host", 8080),
        ]);
        let Owners { said, are_others } = said.expect("a clause");
        assert!(are_others && said.starts_with("port 8080 is that of the service other_web: "), "{said}");
        assert!(said.ends_with("ps-set shop web.port"), "{said}");
        let alone = owners(&[]).expect("a clause");
        assert_eq!(alone.said, "at port 8080 each node has one instance of web at most");
        assert!(!alone.are_others, "what it replaces there may be about to end");
        let mut idle = published("web", "idle_web", "host", 8080);
        idle["Spec"]["Mode"]["Replicated"]["Replicas"] = json!(0);
        assert_eq!(owners(&[idle]), Some(alone), "nothing of it is to run");
        let chosen = Service::read(&published("web", "shop_web", "host", 0)).expect("one of ours");
        assert_eq!(super::owners(&chosen, &json!([own])), None);
    }
}
