//! What a swarm could not give the instances of a plan. It is refused before anything is changed.

use std::collections::{BTreeMap, BTreeSet};

use formation::ProcessType;
use ps_engine::Engine;
use ps_scheduler::{Change, Error, Plan, Release, Source};
use serde_json::Value;

use crate::failed::{backend, of_swarm};
use crate::swarm::Swarm;
use crate::{changes, spec};

/// Refuses a plan that cannot be carried out as it is.
pub(crate) fn judge(swarm: &Swarm, plan: &Plan) -> Result<(), Error> {
    let release = &plan.release;
    let fresh = plan.slots(Change::Start).chain(plan.slots(Change::Replace));
    let types: BTreeSet<&ProcessType> = fresh.map(|slot| &slot.process_type).collect();
    let reason = of_release(plan)
        .or_else(|| changes::refusal(plan))
        .or_else(|| types.iter().find_map(|process_type| spec::refusal(release, process_type)));
    let reason = match reason {
        Some(reason) => Some(reason),
        None => of_the_swarm(swarm.engine()?, release, &types)?,
    };
    let context = format!("deploy {}", release.app);
    reason.map_or(Ok(()), |reason| Err(backend(&context, reason)))
}

fn of_release(plan: &Plan) -> Option<String> {
    let release = &plan.release;
    if let Source::Services(_) = release.source {
        return Some(
            "the services of a Compose file do not run on a swarm: pass --scheduler docker-local".to_owned(),
        );
    }
    if !release.listen.is_empty() {
        return Some(format!(
            "an address of this machine is not led to a swarm: ps-lifecycle proxy {} --listen none takes it away",
            release.app
        ));
    }
    plan.canary.map(|_| "a canary is for apps that run natively".to_owned())
}

/// What only a manager knows: that it is one, and which networks there are.
fn of_the_swarm(
    engine: &Engine,
    release: &Release,
    types: &BTreeSet<&ProcessType>,
) -> Result<Option<String>, Error> {
    let mut networks: BTreeMap<&str, &ProcessType> = BTreeMap::new();
    for process_type in types {
        let named = release.settings(process_type).networks.iter().flat_map(type_settings::Networks::iter);
        networks.extend(named.map(|network| (network, *process_type)));
    }
    let asked = format!("ask the swarm about {}", release.app);
    if networks.is_empty() {
        // The nodes are a short list that only a manager has.
        engine.run(engine.nodes()).map_err(|fault| of_swarm(&fault, &asked))?;
        return Ok(None);
    }
    let list =
        engine.run(engine.networks(&[("scope", "swarm")])).map_err(|fault| of_swarm(&fault, &asked))?;
    let is_there = |name: &str| {
        let all: &[Value] = list.as_array().map_or(&[], Vec::as_slice);
        all.iter().any(|network| network["Name"] == name)
    };
    let missing = networks.into_iter().find(|(name, _)| !is_there(name));
    Ok(missing.map(|(name, process_type)| {
        format!(
            "{process_type}.networks has {name}, and the swarm has no such network: docker network create --driver overlay {name}"
        )
    }))
}
