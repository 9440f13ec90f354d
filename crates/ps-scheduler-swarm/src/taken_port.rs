//! Whose a port of the nodes is that an instance waits for. A swarm says only on how many nodes it is in use. Pure.

use serde_json::{Value, json};

use crate::service::Service;

/// What a swarm says of a task for whose port no node is free.
const IN_USE: &str = "host-mode port already in use";

/// Whether a reason of the swarm is about such a port.
pub(crate) fn is_reason(reason: &str) -> bool {
    reason.contains(IN_USE)
}

/// Whose the ports of the nodes are that a service is to have, as a clause behind the reason of the swarm. `all` is the manager's list of all
/// services. `None`: the service has no fixed port of its nodes.
pub(crate) fn owners(service: &Service, all: &Value) -> Option<String> {
    let ports = of_nodes(&service.spec);
    let others = all.as_array().into_iter().flatten().filter(|other| other["ID"] != *service.id);
    let held = others.flat_map(|other| {
        let name = other["Spec"]["Name"].as_str().unwrap_or_default();
        of_nodes(&other["Spec"]).into_iter().filter(|port| ports.contains(port)).map(move |port| (port, name))
    });
    let (app, process_type) = (&service.app, &service.process_type);
    let held: Vec<String> =
        held.map(|(port, name)| format!("port {port} is that of the service {name}")).collect();
    if let Some(first) = ports.first().filter(|_| held.is_empty()) {
        return Some(format!("at port {first} each node has one instance of {process_type} at most"));
    }
    (!held.is_empty())
        .then(|| format!("{}: choose another with ps-set {app} {process_type}.port", held.join(", ")))
}

/// What of a service [`owners`] reads.
pub(crate) fn outline(json: &Value) -> Value {
    json!({
        "ID": json["ID"],
        "Spec": { "Name": json["Spec"]["Name"], "EndpointSpec": json["Spec"]["EndpointSpec"] },
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
        let said = said.expect("a clause");
        assert!(said.starts_with("port 8080 is that of the service other_web: "), "{said}");
        assert!(said.ends_with("ps-set shop web.port"), "{said}");
        let alone = owners(&[]).expect("a clause");
        assert_eq!(alone, "at port 8080 each node has one instance of web at most");
        let chosen = Service::read(&published("web", "shop_web", "host", 0)).expect("one of ours");
        assert_eq!(super::owners(&chosen, &json!([own])), None);
    }
}
