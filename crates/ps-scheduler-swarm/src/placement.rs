//! The nodes on which the instances of a type may run. Pure.

use formation::ProcessType;
use ps_scheduler::Release;
use serde_json::{Value, json};
use type_settings::{Constraint, Constraints, Spread, TypeSettings};

/// `Placement`.
pub(crate) fn placement(settings: &TypeSettings) -> Value {
    let constraints: Vec<String> =
        settings.constraints.iter().flat_map(Constraints::iter).map(ToString::to_string).collect();
    let spread = settings.spread.iter().flat_map(Spread::iter);
    let preferences: Vec<Value> =
        spread.map(|label| json!({ "Spread": { "SpreadDescriptor": label } })).collect();
    let mut placement = json!({});
    if !constraints.is_empty() {
        placement["Constraints"] = json!(constraints);
    }
    if !preferences.is_empty() {
        placement["Preferences"] = json!(preferences);
    }
    placement
}

/// Why `wanted` instances of a type can find no place, whatever the swarm does: no node is as it must be, or there are fewer nodes than
/// instances of which each needs a node for itself. A node that is down counts: it may be back in a moment. `nodes` is the manager's list.
pub(crate) fn refusal(
    release: &Release,
    process_type: &ProcessType,
    wanted: u16,
    nodes: &Value,
) -> Option<String> {
    let settings = release.settings(process_type);
    let all: Vec<&Value> = nodes.as_array().into_iter().flatten().collect();
    let constraints: Vec<&Constraint> = settings.constraints.iter().flat_map(Constraints::iter).collect();
    for constraint in &constraints {
        if !all.iter().any(|node| holds(constraint, node)) {
            let are = match constraint.attribute.as_str() {
                // A machine may have been given another name since.
                "node.hostname" => format!("they are called {}", names(&all)),
                _ => "docker node inspect shows what they are".to_owned(),
            };
            return Some(format!(
                "{process_type}.constraints has {constraint}, and of the {} nodes of the swarm none is so: {are}",
                all.len()
            ));
        }
    }
    let fitting = fitting(release, process_type, nodes).len();
    if fitting == 0 && !constraints.is_empty() {
        let all: Vec<String> = constraints.iter().map(ToString::to_string).collect();
        return Some(format!(
            "{process_type}.constraints: no node of the swarm that takes tasks is {}",
            all.join(" and ")
        ));
    }
    let port = release.node_port(process_type)?;
    (fitting < usize::from(wanted)).then(|| {
        format!(
            "{process_type} is published at port {port} of each node that it runs on, so a node can have one instance alone: {wanted} are wanted, and {fitting} nodes can have one. Scale it down, or have each get a port of its own: ps-set {} {process_type}.port ''",
            release.app
        )
    })
}

/// What nodes are called.
fn names(nodes: &[&Value]) -> String {
    let mut names: Vec<&str> =
        nodes.iter().filter_map(|node| node["Description"]["Hostname"].as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}

/// Why a type cannot run wherever the swarm may choose, if its image is on the node `here` alone; `None`: only that one may be chosen.
pub(crate) fn without_image(
    release: &Release,
    process_type: &ProcessType,
    here: &str,
    nodes: &Value,
) -> Option<String> {
    let app = &release.app;
    let name = |node: &Value| node["Description"]["Hostname"].as_str().unwrap_or_default().to_owned();
    let fitting = fitting(release, process_type, nodes);
    let other = fitting.into_iter().find(|node| node["ID"] != here)?;
    let own = nodes.as_array().into_iter().flatten().find(|node| node["ID"] == here).map(name);
    let own = own.unwrap_or_default();
    Some(format!(
        "no registry has the image of {app}, so the node {}, on which {process_type} may run, cannot have it: push it, and deploy it by its name there, or ps-set {app} {process_type}.constraints node.hostname=={own} keeps {process_type} here",
        name(other)
    ))
}

/// The nodes that may be chosen for a type: those that take tasks and are as its constraints say.
pub(crate) fn fitting<'a>(release: &Release, process_type: &ProcessType, nodes: &'a Value) -> Vec<&'a Value> {
    let is_active = |node: &&Value| node["Spec"]["Availability"].as_str().is_none_or(|word| word == "active");
    let constraints = release.settings(process_type).constraints.iter().flat_map(Constraints::iter);
    let constraints: Vec<&Constraint> = constraints.collect();
    let fits = |node: &&Value| constraints.iter().all(|constraint| holds(constraint, node));
    nodes.as_array().into_iter().flatten().filter(is_active).filter(fits).collect()
}

/// Whether a node is as a constraint says. What only the swarm can tell is taken for true.
fn holds(constraint: &Constraint, node: &Value) -> bool {
    let description = &node["Description"];
    let of = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let attribute = constraint.attribute.as_str();
    let is = match attribute {
        "node.id" => of(&node["ID"]),
        "node.hostname" => of(&description["Hostname"]),
        "node.role" => of(&node["Spec"]["Role"]),
        "node.platform.os" => of(&description["Platform"]["OS"]),
        // The engine's words for a processor are others than those of its clients.
        "node.platform.arch" | "node.ip" => return true,
        _ => match (attribute.strip_prefix("node.labels."), attribute.strip_prefix("engine.labels.")) {
            (Some(label), _) => of(&node["Spec"]["Labels"][label]),
            (None, Some(label)) => of(&description["Engine"]["Labels"][label]),
            (None, None) => return true,
        },
    };
    is.eq_ignore_ascii_case(&constraint.value) == constraint.is_equal
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::{release, set};

    fn node(name: &str, role: &str, disk: &str, availability: &str) -> Value {
        json!({
            "ID": format!("id-{name}"),
            "Spec": {"Role": role, "Labels": {"disk": disk}, "Availability": availability},
            "Description": {"Hostname": name, "Platform": {"OS": "linux"}, "Engine": {"Labels": {"rack": "7"}}},
            "Status": {"State": "down"},
        })
    }

    fn nodes() -> Value {
        json!([
            node("a", "manager", "ssd", "active"),
            node("b", "worker", "hdd", "active"),
            node("c", "worker", "ssd", "drain"),
        ])
    }

    #[test]
    fn an_image_that_one_node_has_alone_is_refused_where_another_may_be_chosen() {
        let said = |settings: &[(&str, &str)]| {
            let mut release = release("web");
            for (name, value) in settings {
                set(&mut release, name, value);
            }
            without_image(&release, &"web".parse().expect("a type"), "id-a", &nodes())
        };
        let refused = said(&[]).expect("b may be chosen");
        assert!(refused.contains("the node b,") && refused.contains("node.hostname==a "), "{refused}");
        for alone in ["node.hostname==a", "node.labels.disk==ssd"] {
            assert_eq!(said(&[("constraints", alone)]), None, "{alone}");
        }
    }

    fn said(settings: &[(&str, &str)], wanted: u16) -> Option<String> {
        let mut release = release("web");
        for (name, value) in settings {
            set(&mut release, name, value);
        }
        refusal(&release, &"web".parse().expect("a type"), wanted, &nodes())
    }

    #[test]
    fn a_constraint_that_no_node_meets_is_refused_and_any_other_is_left_to_the_swarm() {
        for good in [
            "node.role==worker",
            "node.role!=worker",
            "node.labels.disk==SSD,node.hostname!=c",
            "node.labels.gone!=x",
            "engine.labels.rack==7,node.platform.os==linux",
            "node.ip==10.0.0.0/8,node.platform.arch==x86_64",
        ] {
            assert_eq!(said(&[("constraints", good)], 9), None, "{good}");
        }
        let none = said(&[("constraints", "node.role==worker,node.labels.disk==tape")], 1).expect("no tape");
        assert!(none.contains("has node.labels.disk==tape, and of the 3 nodes of the swarm none"), "{none}");
        let renamed = said(&[("constraints", "node.hostname==d")], 1).expect("none is called so");
        assert!(renamed.ends_with("none is so: they are called a, b, c"), "{renamed}");
        let both = said(&[("constraints", "node.role==worker,node.labels.disk==ssd")], 1).expect("drained");
        assert!(both.ends_with("is node.role==worker and node.labels.disk==ssd"), "{both}");
    }

    #[test]
    fn of_instances_that_need_the_same_port_there_is_room_for_one_on_each_node() {
        let fixed = [("publish", "host"), ("port", "8080")];
        assert_eq!(said(&fixed, 2), None);
        let many = said(&fixed, 3).expect("one node is drained");
        assert!(many.contains("3 are wanted, and 2 nodes can have one"), "{many}");
        assert_eq!(said(&[("publish", "host")], 3), None);
        assert_eq!(said(&[("publish", "ingress"), ("port", "8080")], 3), None);
    }

    #[test]
    fn constraints_and_spread_are_handed_on_as_they_are() {
        let mut release = release("web");
        set(&mut release, "constraints", "node.role==worker,node.labels.disk!=hdd");
        set(&mut release, "spread", "node.labels.zone");
        let web = "web".parse().expect("a type");
        assert_eq!(
            placement(release.settings(&web)),
            json!({
                "Constraints": ["node.role==worker", "node.labels.disk!=hdd"],
                "Preferences": [{"Spread": {"SpreadDescriptor": "node.labels.zone"}}],
            })
        );
    }
}
