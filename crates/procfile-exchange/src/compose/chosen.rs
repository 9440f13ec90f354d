//! Which services of a Compose file are meant, and what comes along with them because they depend on it.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Chosen, ComposeError, Composed, Service};
use super::service::AFTER;
use crate::import::node::Node;
use crate::near::instead_of;

impl<'a> Chosen<'a> {
    fn named(self) -> &'a BTreeSet<String> {
        match self {
            Self::All(named) | Self::WithDependencies(named) | Self::Exactly(named) => named,
        }
    }

    /// Refuses a name that the file does not have, if the names were asked for.
    pub(super) fn check(self, names: &[String]) -> Result<(), ComposeError> {
        let Self::WithDependencies(named) = self else { return Ok(()) };
        let Some(name) = named.iter().find(|name| !names.contains(name)) else { return Ok(()) };
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        let reason = format!("there is no service {name}, but {}", instead_of(name, &known));
        Err(ComposeError::at("services", reason))
    }

    /// The services that can be run: those that no profile has to start, those that are named, and where dependencies come
    /// along those that share a profile with a named one.
    pub(super) fn available(self, services: &[(String, Node)]) -> Vec<&(String, Node)> {
        let is_named = |name: &String| self.named().contains(name);
        let active: BTreeSet<String> = match self {
            Self::WithDependencies(_) => {
                let named = services.iter().filter(|(name, _)| is_named(name));
                named.flat_map(|(_, fields)| profiles(fields)).collect()
            }
            Self::All(_) | Self::Exactly(_) => BTreeSet::new(),
        };
        let is_available = |(name, fields): &&(String, Node)| {
            let profiles = profiles(fields);
            is_named(name) || profiles.is_empty() || profiles.iter().any(|profile| active.contains(profile))
        };
        services.iter().filter(is_available).collect()
    }

    /// Drops what is not meant, and says of each service that comes along which other one depends on it.
    pub(super) fn narrow(self, composed: &mut Composed) {
        let wanted = match self {
            Self::All(_) => return,
            Self::Exactly(named) => named.clone(),
            Self::WithDependencies(named) => {
                composed.along = along(&composed.services, named);
                named.iter().chain(composed.along.keys()).cloned().collect()
            }
        };
        composed.services.retain(|service| wanted.contains(service.process_type.as_str()));
    }
}

/// The names of the services that no profile has to start.
pub(super) fn usual(services: &[(String, Node)]) -> BTreeSet<String> {
    let usual = services.iter().filter(|(_, fields)| profiles(fields).is_empty());
    usual.map(|(name, _)| name.clone()).collect()
}

/// The profiles that start a service; none: it is always started.
fn profiles(fields: &Node) -> Vec<String> {
    match fields.get("profiles") {
        Some(Node::List(profiles)) => profiles.iter().filter_map(Node::scalar).collect(),
        Some(profile) => profile.scalar().into_iter().filter(|profile| !profile.is_empty()).collect(),
        None => Vec::new(),
    }
}

/// The services that a service waits for.
pub(super) fn awaited(service: &Service) -> impl Iterator<Item = &str> {
    let after = service.settings.get(AFTER).map_or("", String::as_str);
    after.split(',').filter(|awaited| !awaited.is_empty()).map(name_of)
}

/// The name of an awaited service, without the milestone.
pub(super) fn name_of(awaited: &str) -> &str {
    awaited.split(':').next().unwrap_or(awaited)
}

/// What the named services depend on and is not named, each with one that depends on it.
fn along(services: &[Service], named: &BTreeSet<String>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut left: Vec<String> = named.iter().cloned().collect();
    while let Some(name) = left.pop() {
        let of_name = services.iter().filter(|service| service.process_type.as_str() == name);
        for other in of_name.flat_map(awaited) {
            let is_there = services.iter().any(|service| service.process_type.as_str() == other);
            if is_there && !named.contains(other) && !found.contains_key(other) {
                found.insert(other.to_owned(), name.clone());
                left.push(other.to_owned());
            }
        }
    }
    found
}
