//! Conditions on the nodes of a swarm, in the terms of Docker's `--constraint` and `--placement-pref`.

use std::fmt;
use std::str::FromStr;

use super::elements;

/// The attributes by which a node can be chosen, besides its labels.
const ATTRIBUTES: [&str; 6] =
    ["node.id", "node.hostname", "node.ip", "node.role", "node.platform.os", "node.platform.arch"];
/// The beginnings of attributes that are labels: those that an administrator of the swarm gives to nodes, and those of
/// the node's own engine.
const LABELS: [&str; 2] = ["node.labels.", "engine.labels."];
const ROLES: [&str; 2] = ["manager", "worker"];

/// A condition that a node must meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint {
    /// The attribute that is compared: `node.role`, `node.labels.disk`.
    pub attribute: String,
    /// Whether the node must have the value; otherwise it must not.
    pub is_equal: bool,
    /// The value. Upper and lower case do not matter.
    pub value: String,
}

/// Conditions, all of which a node must meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraints(Vec<Constraint>);

/// The attributes over whose values instances are spread: the most important one first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spread(Vec<String>);

impl Constraints {
    /// The conditions in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Constraint> {
        self.0.iter()
    }
}

impl Spread {
    /// The attributes in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl FromStr for Constraint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (attribute, is_equal, value) = match (text.split_once("=="), text.split_once("!=")) {
            (Some((attribute, value)), None) => (attribute.trim(), true, value.trim()),
            (None, Some((attribute, value))) => (attribute.trim(), false, value.trim()),
            (None, None) | (Some(_), Some(_)) => {
                return Err(format!("{text:?} is no constraint: write one such as node.role==worker"));
            }
        };
        if !ATTRIBUTES.contains(&attribute) && !is_label(attribute) {
            return Err(format!(
                "a node has no {attribute:?}: use {}, or a label such as node.labels.disk",
                ATTRIBUTES.join(", ")
            ));
        }
        // A swarm accepts no other characters, and would report that only after everything else has been changed.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b":-_ .*()?+[]\\^$|/".contains(&byte);
        if value.is_empty() || !value.bytes().all(is_plain) {
            return Err(format!("{value:?} is no value that {attribute} can have"));
        }
        if attribute == "node.role" && !ROLES.contains(&value) {
            return Err(format!("a node is no {value:?}: node.role is {}", ROLES.join(" or ")));
        }
        Ok(Self { attribute: attribute.to_owned(), is_equal, value: value.to_owned() })
    }
}

impl FromStr for Constraints {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        elements::split(text)?.iter().map(|one| one.parse()).collect::<Result<_, _>>().map(Self)
    }
}

impl FromStr for Spread {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let attributes = elements::split(text)?;
        match attributes.iter().find(|attribute| !is_label(attribute)) {
            Some(other) => Err(format!("{other:?} is no label of nodes: use one such as node.labels.zone")),
            None => Ok(Self(attributes)),
        }
    }
}

fn is_label(attribute: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let name = LABELS.into_iter().find_map(|labels| attribute.strip_prefix(labels));
    name.is_some_and(|name| !name.is_empty() && name.bytes().all(is_plain))
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.attribute, if self.is_equal { "==" } else { "!=" }, self.value)
    }
}

impl fmt::Display for Constraints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        elements::write(f, &self.0)
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        elements::write(f, &self.0)
    }
}
