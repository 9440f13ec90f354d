//! Checks what the containers of a plan need from the engine and from this machine. A plan that cannot work is refused
//! before anything is touched; with `stop-first` the old containers would otherwise have ended before the engine
//! refuses.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use formation::ProcessType;
use ps_scheduler::{Change, Error, Plan, Release};
use ps_service::Service;
use type_settings::{Size, TypeSettings};

use crate::blueprint;
use crate::docker_local::DockerLocal;
use crate::failed::failed;

/// The smallest memory limit that the engine accepts, in bytes.
const LEAST_MEMORY: u64 = 6 << 20;

/// Refuses a plan whose containers could not be made as they are set.
pub(crate) fn judge(docker: &DockerLocal, plan: &Plan) -> Result<(), Error> {
    let fresh: Vec<_> = plan.slots(Change::Start).chain(plan.slots(Change::Replace)).collect();
    let reason = fresh.iter().find_map(|slot| blueprint::refusal(&plan.release, slot));
    let types: BTreeSet<&ProcessType> = fresh.iter().map(|slot| &slot.process_type).collect();
    let reason =
        match reason.or_else(|| types.iter().find_map(|of_type| on_this_machine(&plan.release, of_type))) {
            Some(reason) => Some(reason),
            None => of_the_engine(docker, &plan.release, &types)?,
        };
    let service = Service::of(docker.world(), &plan.release.app, None);
    let reason = reason.or_else(|| service.refusal_to_listen(plan.release.reached()));
    let alone = plan.canary.map(|_| "a canary is for apps that run natively".to_owned());
    let reason = reason.or(alone);
    let context = format!("deploy {}", plan.release.app);
    reason.map_or(Ok(()), |reason| Err(Error::Backend { context, reason }))
}

/// Problems that can be found without asking the engine.
fn on_this_machine(release: &Release, process_type: &ProcessType) -> Option<String> {
    let settings = release.settings(process_type);
    memory(settings)
        .or_else(|| missing(release, process_type))
        .map(|reason| format!("{process_type}.{reason}"))
}

fn memory(settings: &TypeSettings) -> Option<String> {
    let most = settings.memory_max?;
    if most.bytes() < LEAST_MEMORY {
        return Some(format!("memory-max is {most}, and the engine gives no container less than 6m"));
    }
    let reserved = settings.engine_options.as_ref()?.of("memory-reservation");
    let reserved = reserved.first().and_then(|text| text.parse::<Size>().ok())?;
    (reserved > most).then(|| {
        format!("engine-options reserves {reserved} of memory (memory-reservation), and memory-max is {most}")
    })
}

/// A path or a device of the host that does not exist. The engine would make an empty directory, which is rarely what was meant. In
/// a Compose file it is meant, so mounts of its services are not checked.
fn missing(release: &Release, process_type: &ProcessType) -> Option<String> {
    let settings = release.settings(process_type);
    let binds = release.source.service(process_type).map(|service| &service.container["HostConfig"]["Binds"]);
    let is_of_compose = |text: &str| {
        binds
            .and_then(|binds| binds.as_array())
            .is_some_and(|binds| binds.iter().any(|bind| bind.as_str() == Some(text)))
    };
    let mounts = settings.mounts.iter().flat_map(type_settings::Mounts::iter);
    let mut paths = mounts.filter_map(|mount| Some((mount.path()?, mount.to_string())));
    let lost = paths.find(|(path, text)| !Path::new(path).exists() && !is_of_compose(text));
    if let Some((path, text)) = lost {
        return Some(format!(
            "mounts has {text}, and there is no {path} on this machine: make it, such as mkdir -p {path}"
        ));
    }
    let devices = settings.engine_options.iter().flat_map(|options| options.of("device"));
    let mut devices = devices.filter_map(|device| device.split(':').next());
    let lost = devices.find(|device| !Path::new(device).exists())?;
    Some(format!("engine-options has the device {lost}, which this machine does not have"))
}

/// Problems that only the engine knows of: its networks, and its CPUs.
fn of_the_engine(
    docker: &DockerLocal,
    release: &Release,
    types: &BTreeSet<&ProcessType>,
) -> Result<Option<String>, Error> {
    let mut networks: BTreeMap<&str, &ProcessType> = BTreeMap::new();
    for process_type in types {
        let named = release.settings(process_type).networks.iter().flat_map(type_settings::Networks::iter);
        for network in named {
            networks.entry(network).or_insert(process_type);
        }
    }
    for (network, process_type) in networks {
        let engine = docker.engine()?;
        let is_there = engine.run(engine.has_network(network));
        if !is_there.map_err(|fault| failed(fault, format!("look for the network {network}")))? {
            return Ok(Some(format!(
                "{process_type}.networks has {network}, and the engine has no such network: docker network create {network}"
            )));
        }
    }
    let most = types.iter().filter_map(|name| Some((release.settings(name).cpu_max?, name)));
    let Some((most, process_type)) = most.max_by_key(|(most, _)| most.thousandths()) else { return Ok(None) };
    let engine = docker.engine()?;
    let cpus =
        engine.run(engine.cpus()).map_err(|fault| failed(fault, "ask the engine how many CPUs there are"))?;
    let is_too_many = u64::from(most.thousandths()) > cpus.saturating_mul(1000);
    Ok(is_too_many.then(|| format!("{process_type}.cpu-max is {most}, and the engine has {cpus} CPUs")))
}
