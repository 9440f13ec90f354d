//! What a person should know of a deploy before it begins: which parts of the release have no effect on a swarm, and what others can see.

use ps_scheduler::{Error, Plan};

use crate::manager::{Manager, Seen};
use crate::service::Service;
use crate::spec::Proof;
use crate::{judge, placement, published, resources, sealed};

/// One line each; none if the plan deploys nothing.
///
/// # Errors
/// The swarm does not answer.
pub(crate) async fn of(manager: &Manager<'_>, plan: &Plan, seen: &Seen) -> Result<Vec<String>, Error> {
    let changed = seen.services.iter().filter_map(Service::change_by_others);
    let mut remarks: Vec<String> =
        changed.map(|changed| format!("warning: {changed}; this puts it back")).collect();
    if !plan.is_deploy {
        return Ok(remarks);
    }
    let release = &plan.release;
    let list = manager.patiently("list the nodes of the swarm", || manager.engine.nodes()).await?;
    let nodes = list.as_array().map_or(0, Vec::len);
    if judge::is_here_alone(release) && nodes > 1 {
        remarks.push(format!(
            "warning: no registry has the image of {}, so only those of the {nodes} nodes can run it that have it: push it, and deploy it by its name there",
            release.app
        ));
    }
    let is_open = |process_type| !sealed::is_sealed(release, process_type);
    if seen.services.is_empty() && !release.env.is_empty() && plan.rules.keys().any(is_open) {
        remarks.push(format!(
            "warning: who may use a manager of the swarm can read the environment of {}, unless it is deployed with --env-as-secrets",
            release.app
        ));
    }
    for (process_type, rules) in &plan.rules {
        remarks.extend(published::remark(release, process_type, seen.service(process_type)));
        let fitting = placement::fitting(release, process_type, &list);
        remarks.extend(resources::remark(release, process_type, &fitting));
        let health = Proof::of(release, process_type, rules).health;
        let of_checks = health.map(|health| health.remarks).unwrap_or_default();
        remarks.extend(of_checks.into_iter().map(|remark| format!("warning: {remark}")));
    }
    Ok(remarks)
}
