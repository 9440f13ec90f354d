//! Values of a document as data.

use serde_json::Value;

use crate::import::node::Node;
use crate::pm2::Declaration;

/// The keys of an app, with their values.
pub(crate) fn declaration(entries: &[(String, Node)]) -> Declaration {
    Declaration(entries.iter().map(|(key, node)| (key.clone(), value(node))).collect())
}

fn value(node: &Node) -> Value {
    match node {
        Node::Nothing => Value::Null,
        Node::Truth(truth) => Value::Bool(*truth),
        Node::Number(text) => text.parse().map_or_else(|_| text.clone().into(), Value::Number),
        Node::Text(text) => text.clone().into(),
        Node::List(nodes) => nodes.iter().map(value).collect(),
        Node::Map(entries) => entries.iter().map(|(key, node)| (key.clone(), value(node))).collect(),
    }
}
