//! Whether there are enough nodes on which the fixed port of a type is free. A swarm would end instances first, and say afterwards that their
//! successors find no place.

use std::collections::BTreeSet;

use formation::{ProcessType, Quantity};
use ps_scheduler::{Error, Plan};
use serde_json::Value;

use crate::failed::of_swarm;
use crate::swarm::Swarm;
use crate::{label, placement, taken_port};

/// Why the instances of a plan cannot all have their port; `None`: they may. `types` are those that get new instances, `nodes` the manager's
/// list. A node that is down counts as free, because it may be back in a moment. What the app itself runs is not counted either, because the
/// plan may change that.
pub(crate) async fn refusal(
    swarm: &Swarm,
    plan: &Plan,
    types: &BTreeSet<&ProcessType>,
    nodes: &Value,
) -> Result<Option<String>, Error> {
    let release = &plan.release;
    let mut published = types.iter().filter_map(|name| Some((*name, release.node_port(name)?))).peekable();
    if published.peek().is_none() {
        return Ok(None);
    }
    let what = format!("look which ports of the nodes are free for {}", release.app);
    let (engine, world) = (swarm.engine()?, swarm.known_id()?);
    let services = engine.swarm_services(&[], false).await.map_err(|fault| of_swarm(&fault, &what))?;
    let is_own = |service: &&Value| {
        let labels = &service["Spec"]["Labels"];
        labels[label::APP] == *release.app.as_str()
            && world.as_deref().is_some_and(|world| label::is_of(world, &service["Spec"]))
    };
    let others: Value =
        services.as_array().into_iter().flatten().filter(|one| !is_own(one)).cloned().collect();
    for (process_type, port) in published {
        let holders = taken_port::holders(port, &others);
        let filter: Vec<(&str, &str)> = holders.iter().map(|(id, _)| ("service", *id)).collect();
        if filter.is_empty() {
            continue;
        }
        let tasks = engine.swarm_tasks(&filter).await.map_err(|fault| of_swarm(&fault, &what))?;
        let held = held(&tasks);
        let fitting = placement::fitting(release, process_type, nodes);
        let free =
            fitting.iter().filter(|node| !node["ID"].as_str().is_some_and(|id| held.contains(id))).count();
        let wanted = plan.wanted.get(process_type.as_str()).map_or(0, Quantity::get);
        if free < usize::from(wanted) {
            let names: Vec<&str> = holders.into_iter().map(|(_, name)| name).collect();
            let need = if wanted == 1 {
                "an instance needs a node".to_owned()
            } else {
                format!("{wanted} instances need a node each")
            };
            return Ok(Some(format!(
                "port {port} of {} of the {} nodes that may run {process_type} is that of the service {}, and {need}: choose another with \
                 ps-set {} {process_type}.port",
                fitting.len() - free,
                fitting.len(),
                names.join(" and "),
                release.app
            )));
        }
    }
    Ok(None)
}

/// The nodes on which these tasks are to keep running.
fn held(tasks: &Value) -> BTreeSet<&str> {
    let stays = |task: &&Value| task["DesiredState"] == "running";
    tasks.as_array().into_iter().flatten().filter(stays).filter_map(|task| task["NodeID"].as_str()).collect()
}
