//! Checks whether the swarm can provide what the instances of a plan need. Otherwise the plan is refused before
//! anything is changed.

use std::collections::{BTreeMap, BTreeSet};

use formation::{ProcessType, Quantity};
use ps_scheduler::{Cancel, Change, Error, Plan, Release, Source};
use serde_json::Value;

use crate::failed::{backend, of_swarm, unreachable};
use crate::limit::Limit;
use crate::manager::{Contact, Manager};
use crate::quorum::{self, Lost};
use crate::service::Service;
use crate::swarm::Swarm;
use crate::{
    changes, checkable, committed, free_nodes, images, label, placement, published, resources, sealed, spec,
    unlabelled,
};

/// Refuses a plan that cannot be carried out.
pub(crate) fn judge(swarm: &Swarm, plan: &Plan) -> Result<(), Error> {
    judge_within(swarm, plan, &Limit::of_judging(&plan.release.app))
}

/// The same within the limit of the verb that carries the plan out.
pub(crate) fn judge_within(swarm: &Swarm, plan: &Plan, limit: &Limit) -> Result<(), Error> {
    let release = &plan.release;
    let fresh = plan.slots(Change::Start).chain(plan.slots(Change::Replace));
    let types: BTreeSet<&ProcessType> = fresh.map(|slot| &slot.process_type).collect();
    let service = ps_service::Service::of(swarm.world(), &release.app, None);
    let reason = of_release(plan)
        .or_else(|| service.refusal_to_listen(release.reached()))
        .or_else(|| changes::refusal(plan))
        .or_else(|| types.iter().find_map(|process_type| spec::refusal(release, process_type)));
    let context = format!("deploy {}", release.app);
    let refused = |reason: Option<String>| reason.map_or(Ok(()), |reason| Err(backend(&context, reason)));
    refused(reason)?;
    swarm.engine()?.run(limit.hold(&Contact::default(), async {
        refused(of_the_swarm(swarm, plan, &types).await?)?;
        refused(of_its_services(swarm, plan, &types).await?)?;
        refused(unlabelled::refusal(swarm, plan).await?)?;
        refused(of_secrets(swarm, plan, &types).await?)?;
        of_images(swarm, plan).await?;
        refused(checkable::refusal(swarm, plan).await?)
    }))
}

fn of_release(plan: &Plan) -> Option<String> {
    let release = &plan.release;
    if let Source::Services(_) = release.source {
        return Some(
            "the services of a Compose file do not run on a swarm: pass --scheduler docker-local".to_owned(),
        );
    }
    plan.canary.map(|_| "a canary is for apps that run natively".to_owned())
}

/// What only a manager knows: that it is one, how its nodes are, and which networks there are.
async fn of_the_swarm(
    swarm: &Swarm,
    plan: &Plan,
    types: &BTreeSet<&ProcessType>,
) -> Result<Option<String>, Error> {
    let (engine, release) = (swarm.engine()?, &plan.release);
    let asked = format!("ask the swarm about {}", release.app);
    let nodes = engine.nodes().await.map_err(|fault| of_swarm(&fault, &asked))?;
    if let Some(lost) = Lost::of(&nodes) {
        return Err(unreachable(&lost.said(quorum::latest(&nodes))));
    }
    let of_type = |process_type: &&ProcessType| {
        let wanted = plan.wanted.get(process_type.as_str()).map_or(0, Quantity::get);
        placement::refusal(release, process_type, wanted, &nodes).or_else(|| {
            let fitting = placement::fitting(release, process_type, &nodes);
            resources::refusal(release, process_type, wanted, &fitting)
        })
    };
    if let Some(reason) = types.iter().find_map(of_type) {
        return Ok(Some(reason));
    }
    if let Some(reason) = free_nodes::refusal(swarm, plan, types, &nodes).await? {
        return Ok(Some(reason));
    }
    if is_moving(swarm, plan)? && is_here_alone(release) {
        let info = engine.swarm_info().await.map_err(|fault| of_swarm(&fault, &asked))?;
        let here = info["NodeID"].as_str().unwrap_or_default();
        let without = |of_type: &&ProcessType| placement::without_image(release, of_type, here, &nodes);
        if let Some(reason) = types.iter().find_map(without) {
            return Ok(Some(reason));
        }
    }
    let mut networks: BTreeMap<&str, &ProcessType> = BTreeMap::new();
    for process_type in types {
        let named = release.settings(process_type).networks.iter().flat_map(type_settings::Networks::iter);
        networks.extend(named.map(|network| (network, *process_type)));
    }
    if networks.is_empty() {
        return Ok(None);
    }
    let list = engine.networks(&[("scope", "swarm")]).await.map_err(|fault| of_swarm(&fault, &asked))?;
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

/// Whether what another scheduler runs of the app is to end once this has come up.
fn is_moving(swarm: &Swarm, plan: &Plan) -> Result<bool, Error> {
    let app = &plan.release.app;
    let is_elsewhere = plan.is_deploy && committed::read(swarm.world(), app)?.is_none();
    let is_deployed = || swarm.world().recorded_as_deployed(app);
    let is_deployed = if is_elsewhere { is_deployed() } else { Ok(None) };
    is_deployed
        .map(|is| is == Some(true))
        .map_err(|error| backend(&format!("read whether {app} was deployed"), error.to_string()))
}

/// Whether the image is one that no registry has.
pub(crate) fn is_here_alone(release: &Release) -> bool {
    matches!(&release.source, Source::Image(image) if image.starts_with("sha256:"))
}

/// What of the services that the app has stands in the way.
async fn of_its_services(
    swarm: &Swarm,
    plan: &Plan,
    types: &BTreeSet<&ProcessType>,
) -> Result<Option<String>, Error> {
    let app = &plan.release.app;
    let is_chosen = |process_type: &ProcessType| {
        plan.is_deploy && published::is_chosen_by_nodes(&plan.release, process_type)
    };
    let scaled = changes::counts_alone(plan);
    let is_chosen_any = types.iter().any(|process_type| is_chosen(process_type));
    if !is_chosen_any && scaled.is_empty() {
        return Ok(None);
    }
    let Some(world) = swarm.known_id()? else { return Ok(None) };
    let of_app = label::of_instances(Some(app));
    let list = swarm.engine()?.swarm_services(&[("label", &of_app)], false).await;
    let list = list.map_err(|fault| of_swarm(&fault, &format!("list the services of {app}")))?;
    let services = Service::of_world(&world, &list);
    let mut chosen = services.iter().filter(|service| is_chosen(&service.process_type));
    let of_update = || {
        let mut scaled = services.iter().filter(|service| scaled.contains(&service.process_type));
        scaled.find_map(Service::refusal_to_scale)
    };
    Ok(chosen.find_map(published::refusal_to_choose).or_else(of_update))
}

/// Refuses a plan for which an image is needed that cannot be had. What goes on with the specification that it has may be on nodes that have
/// its image, so a registry that is away is not in its way.
async fn of_images(swarm: &Swarm, plan: &Plan) -> Result<(), Error> {
    let release = &plan.release;
    let started = plan.slots(Change::Start).filter(|_| plan.is_deploy);
    let specified = plan.slots(Change::Replace).chain(started).map(|slot| &slot.process_type);
    let images: BTreeSet<&str> =
        specified.filter_map(|process_type| release.source.image(process_type)).collect();
    let (engine, cancel, world) = (swarm.engine()?, Cancel::default(), swarm.known_id()?.unwrap_or_default());
    // Whoever carries the plan out is told of logins that cannot be read.
    let logins = swarm.logins(&release.app, &mut |_| ());
    let manager = Manager { logins: &logins, ..Manager::new(engine, &world, &release.app, &cancel) };
    images::refuse_missing(&manager, &images).await
}

/// What keeps the environment of a type from being a secret. Of an image one look is enough.
async fn of_secrets(
    swarm: &Swarm,
    plan: &Plan,
    types: &BTreeSet<&ProcessType>,
) -> Result<Option<String>, Error> {
    let release = &plan.release;
    let mut sealed = types.iter().filter(|process_type| sealed::is_sealed(release, process_type));
    match sealed.next() {
        Some(process_type) => sealed::refusal(swarm, release, process_type).await,
        None => Ok(None),
    }
}
