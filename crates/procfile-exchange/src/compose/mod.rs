//! Reads Compose files in order to deploy them: each service with its image or build, and the properties of its
//! containers in the terms of the engine's API. Keys that are not used are returned by name. (To make a Procfile of a
//! Compose file, see [`crate::import`].)

mod chosen;
mod environment;
mod fields;
mod health;
mod interpolate;
mod merge;
mod model;
mod mounts;
mod ports;
mod service;
mod sizes;
mod unknown;

use std::collections::BTreeSet;

use crate::import::node::Node;
use crate::import::yaml::{self, Octal};
use crate::import::{ImportError, MAX_IMPORT_BYTES, UnknownKey};
use crate::near::nearest;

pub use model::{Around, Build, Chosen, ComposeError, Composed, Service};

/// The most services that are read.
const MAX_SERVICES: usize = 200;
/// Keys of the whole file that are read, or mean nothing to what is deployed.
const KNOWN: [&str; 7] = ["name", "services", "version", "volumes", "networks", "secrets", "configs"];

/// Reads a Compose file.
///
/// ```
/// use std::collections::BTreeSet;
///
/// use procfile_exchange::compose::{Around, Chosen, read};
///
/// let text = b"services: {web: {image: 'shop:${VERSION:-1}', ports: ['8080:80'], privileged: true}}";
/// let around = Around {
///     directory: "/srv/shop",
///     project: "shop",
///     variable: &|name| (name == "VERSION").then(|| "7".to_owned()),
///     file: &|_| Err("no such file".to_owned()),
///     chosen: Chosen::All(&BTreeSet::new()),
/// };
/// let read = read(text, &around)?;
/// let web = &read.services[0];
/// assert_eq!((web.image.as_deref(), web.port), (Some("shop:7"), Some(80)));
/// assert_eq!(read.notes().collect::<Vec<_>>(), ["services.web: not carried over: privileged"]);
/// # Ok::<(), procfile_exchange::compose::ComposeError>(())
/// ```
pub fn read(bytes: &[u8], around: &Around<'_>) -> Result<Composed, ComposeError> {
    if bytes.len() > MAX_IMPORT_BYTES {
        return Err(ImportError::TooLarge.into());
    }
    let text = std::str::from_utf8(bytes).map_err(|_| ImportError::NotText)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let document = merge::merged(yaml::read(text, Octal::Legacy, "Compose file")?);
    let mut unset = BTreeSet::new();
    let document = interpolate::document(document, "", around.variable, &mut unset)?;
    let mut notes: Vec<String> =
        unset.iter().map(|name| format!("${{{name}}} is not set, and becomes empty")).collect();
    let Some(Node::Map(services)) = document.get("services") else {
        return Err(ImportError::Syntax("Compose file", "it has no services".to_owned()).into());
    };
    if let Some((key, _)) = document.entries().iter().find(|(key, _)| key == "include") {
        return Err(ComposeError::at(key, "another file is not read: write its services here"));
    }
    let is_known = |key: &str| KNOWN.contains(&key) || key.starts_with("x-");
    let unknown: Vec<&str> =
        document.entries().iter().map(|(key, _)| key.as_str()).filter(|key| !is_known(key)).collect();
    if !unknown.is_empty() {
        notes.push(format!("not carried over: {}", unknown.join(", ")));
    }
    if services.len() > MAX_SERVICES {
        return Err(ComposeError::at("services", format!("{MAX_SERVICES} services are the most")));
    }
    let unknown = unknown
        .iter()
        .map(|key| UnknownKey { place: (*key).to_owned(), meant: nearest(key, KNOWN.into_iter()) });
    let unknown = unknown.collect();
    let names: Vec<String> = services.iter().map(|(name, _)| name.clone()).collect();
    around.chosen.check(&names)?;
    let mut composed = Composed { notes, unknown, ..Composed::default() };
    let available = around.chosen.available(services);
    if let Chosen::All(_) = around.chosen {
        let is_left_out = |name: &&String| !available.iter().any(|(other, _)| other == *name);
        let note = |name: &String| format!("services.{name}: left out: only a profile starts it");
        composed.notes.extend(names.iter().filter(is_left_out).map(note));
    }
    for (name, fields) in available {
        let reader = service::Reader { name, fields, document: &document, around };
        composed.services.push(reader.read()?);
        composed.unknown.extend(reader.unknown());
    }
    composed.usual = chosen::usual(services);
    composed.names = names.into_iter().collect();
    without_restart_if_awaited(&mut composed);
    around.chosen.narrow(&mut composed);
    forget_absent(&mut composed);
    if composed.services.is_empty() {
        return Err(ImportError::Syntax("Compose file", "it has no service to run".to_owned()).into());
    }
    Ok(composed)
}

/// A service whose end others wait for is not started again.
fn without_restart_if_awaited(composed: &mut Composed) {
    let awaited = composed.services.iter().filter_map(|service| service.settings.get(service::AFTER));
    let done: BTreeSet<String> = awaited
        .flat_map(|after| after.split(','))
        .filter_map(|awaited| awaited.strip_suffix(":done"))
        .map(str::to_owned)
        .collect();
    let is_done = |service: &&mut Service| done.contains(service.process_type.as_str());
    for service in composed.services.iter_mut().filter(is_done) {
        service.settings.entry(service::RESTART_POLICY.to_owned()).or_insert_with(|| "no".to_owned());
    }
}

/// The name that a Compose file gives to what it describes, if it gives one and is a Compose file.
pub fn name(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes.get(..MAX_IMPORT_BYTES).unwrap_or(bytes)).ok()?;
    yaml::read(text, Octal::Legacy, "Compose file").ok()?.get("name")?.scalar()
}

/// Nobody waits for a service that is left out.
fn forget_absent(composed: &mut Composed) {
    let present: BTreeSet<String> =
        composed.services.iter().map(|service| service.process_type.to_string()).collect();
    for service in &mut composed.services {
        let Some(after) = service.settings.get(service::AFTER) else { continue };
        let (kept, absent): (Vec<&str>, Vec<&str>) =
            after.split(',').partition(|awaited| present.contains(chosen::name_of(awaited)));
        if absent.is_empty() {
            continue;
        }
        let absent: Vec<&str> = absent.into_iter().map(chosen::name_of).collect();
        service.notes.push(format!(
            "services.{}: it does not wait for {}, which is not run",
            service.process_type,
            absent.join(", ")
        ));
        let kept = kept.join(",");
        if kept.is_empty() {
            service.settings.remove(service::AFTER);
        } else {
            service.settings.insert(service::AFTER.to_owned(), kept);
        }
    }
}
