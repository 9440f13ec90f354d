//! The services of an app with a Compose file after `apply`. With `--only`, services that are not selected stay as they were
//! recorded: their entries in the file are not read, and their images are not built or pulled again.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use formation::{AppName, ProcessType};
use procfile_exchange::compose::{Build, Service};
use ps_apps::{ServiceRecord, World};

use super::declaration::Composition;
use super::merged::{Asked, Merged};

/// The kind of source that a Compose file is.
const COMPOSE: &str = "compose";

/// The parts of a Compose declaration that a Procfile does not have.
pub(super) struct Services {
    /// The services that the app gets; empty: all that need no profile.
    pub(super) only: BTreeSet<String>,
    /// Services that stay as they are.
    pub(super) stay: BTreeMap<String, ServiceRecord>,
}

/// The declared services, together with those that stay.
pub(super) fn merged(
    world: &World,
    app: &AppName,
    composition: &Composition,
    (known, declaration, args): Asked<'_>,
) -> Result<(Merged, Services)> {
    let composed = &composition.composed;
    let mut merged = Merged::default();
    for service in &composed.services {
        take(&mut merged, service);
    }
    merged.declared.clone_from(&merged.types);
    let narrows = !args.only.is_empty();
    if let (true, Some((kind, _))) = (narrows, world.deploy_source(app)?)
        && kind != COMPOSE
    {
        bail!(
            "--only: {app} runs from a {kind} and not from a Compose file, so no service of it can stay: leave --only out"
        );
    }
    let mut stay = world.source_record(app)?.services;
    stay.retain(|name, _| !merged.declared.iter().any(|declared| declared.as_str() == name));
    let names: Vec<ProcessType> = stay.keys().filter_map(|name| name.parse().ok()).collect();
    for process_type in names {
        let is_own = known.types.get(process_type.as_str()) == Some(&declaration.id);
        let is_named = composed.names.contains(process_type.as_str());
        match (is_own, args.prune) {
            _ if narrows && is_named => {}
            (true, true) => {
                stay.remove(process_type.as_str());
                merged.pruned.push(process_type);
                continue;
            }
            (true, false) if narrows => merged.stays.push(process_type.clone()),
            (true, false) => bail!(
                "{process_type} is not declared any more, and a service cannot be kept without its file: --prune ends it"
            ),
            (false, _) => bail!(
                "{app} has a service {process_type} that {} has not made: --app names another app",
                declaration.id
            ),
        }
        let image = known.images.get(process_type.as_str()).cloned();
        merged.images.extend(image.map(|image| (process_type.to_string(), image)));
        merged.types.push(process_type);
    }
    let mut only: BTreeSet<String> = merged.types.iter().map(ToString::to_string).collect();
    if only == composed.usual {
        only.clear();
    }
    Ok((merged, Services { only, stay }))
}

/// Adds a service of the declaration.
fn take(merged: &mut Merged, service: &Service) {
    let name = service.process_type.to_string();
    merged.types.push(service.process_type.clone());
    merged.counts.extend(service.replicas.map(|count| (name.clone(), count.to_string())));
    let build = service.build.as_ref().map(|build| {
        format!("build {} {} {} {:?}", build.directory, build.dockerfile, build.target, build.arguments)
    });
    let shown = service.build.as_ref().map(shown_build).or_else(|| service.image.clone());
    merged.shown.insert(name.clone(), shown.unwrap_or_default());
    merged.images.insert(name, build.or_else(|| service.image.clone()).unwrap_or_default());
}

/// A service's build for people, with its settings that differ from the defaults. The values of build arguments may be secrets,
/// so they are left out.
fn shown_build(build: &Build) -> String {
    let mut shown = vec![format!("built from {}", build.directory)];
    if build.dockerfile != "Dockerfile" {
        shown.push(format!("with {}", build.dockerfile));
    }
    if !build.target.is_empty() {
        shown.push(format!("target {}", build.target));
    }
    if !build.arguments.is_empty() {
        let names: Vec<&str> = build.arguments.keys().map(String::as_str).collect();
        shown.push(format!("arguments {}", names.join(" ")));
    }
    shown.join(", ")
}
