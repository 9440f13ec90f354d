//! `<<: *common` in YAML: adds the entries of another map, unless the map has an entry of the same name itself.

use crate::import::node::Node;

/// The same document with every `<<` resolved.
pub(crate) fn merged(node: Node) -> Node {
    match node {
        Node::Map(entries) => Node::Map(merged_map(entries)),
        Node::List(items) => Node::List(items.into_iter().map(merged).collect()),
        other => other,
    }
}

fn merged_map(entries: Vec<(String, Node)>) -> Vec<(String, Node)> {
    let mut own: Vec<(String, Node)> = Vec::new();
    let mut lent: Vec<(String, Node)> = Vec::new();
    for (key, value) in entries {
        let value = merged(value);
        match (key.as_str(), value) {
            ("<<", Node::List(maps)) => {
                lent.extend(maps.into_iter().flat_map(|map| map.entries().to_vec()));
            }
            ("<<", map) => lent.extend(map.entries().to_vec()),
            (_, value) => own.push((key, value)),
        }
    }
    for (key, value) in lent {
        if !own.iter().any(|(other, _)| *other == key) {
            own.push((key, value));
        }
    }
    own
}
