//! Services from which somebody has removed the labels by which they are found. What has lost that of its world alone is known by its containers
//! ([`label::is_of`]), and gets it back at the next deploy. What has lost those of its app or type is found by its name alone: a deploy would not
//! see it, and make another service beside it.

use std::collections::BTreeSet;

use formation::ProcessType;
use ps_scheduler::{Change, Error, Plan};
use serde_json::Value;

use crate::failed::of_swarm;
use crate::label;
use crate::swarm::Swarm;

/// Why a type cannot be deployed whose service is there and is not found by its labels; `None`: there is none. Only names of types are asked for
/// that are to start and of which nothing is to be kept or replaced.
pub(crate) async fn refusal(swarm: &Swarm, plan: &Plan) -> Result<Option<String>, Error> {
    let Some(world) = swarm.known_id()? else { return Ok(None) };
    let (engine, app) = (swarm.engine()?, &plan.release.app);
    let of = |change| plan.slots(change).map(|slot| &slot.process_type);
    let there: BTreeSet<&ProcessType> = of(Change::Keep).chain(of(Change::Replace)).collect();
    let started: BTreeSet<&ProcessType> =
        of(Change::Start).filter(|process_type| !there.contains(process_type)).collect();
    for process_type in started {
        for name in label::names(&world, app, process_type) {
            let json = match engine.service(&name).await {
                Err(fault) if fault.is_gone() => continue,
                json => json.map_err(|fault| of_swarm(&fault, &format!("look for the service {name}")))?,
            };
            let wanted = label::labels(&world, app, process_type);
            let missing = missing(&json["Spec"], &wanted);
            if !missing.is_empty() {
                return Ok(Some(format!(
                    "the service {name} is the {process_type} of {app} by its containers, and somebody has removed its labels, by which it would be found: \
                     docker service update {} {name} gives them back, docker service rm {name} removes it",
                    missing.join(" ")
                )));
            }
        }
    }
    Ok(None)
}

/// The options of `docker service update` that give a service back the labels which its containers have and by which it is found. None if it has
/// them, or its containers do not.
fn missing(spec: &Value, wanted: &Value) -> Vec<String> {
    let wanted: Vec<(&String, &Value)> = wanted.as_object().into_iter().flatten().collect();
    let containers = &spec["TaskTemplate"]["ContainerSpec"]["Labels"];
    let (own, is_task) = (&spec["Labels"], !containers[label::TASK].is_null());
    let is_found = [label::APP, label::PROCESS_TYPE].iter().all(|name| !own[name].is_null());
    if is_found || is_task || wanted.iter().any(|(name, value)| containers[name.as_str()] != **value) {
        return Vec::new();
    }
    let lost = wanted.into_iter().filter(|(name, _)| own[name.as_str()].is_null());
    lost.map(|(name, value)| format!("--label-add {name}={}", value.as_str().unwrap_or_default())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_ours_by_its_containers_and_not_found_by_its_labels_is_missed() {
        let wanted = label::labels("w", &"shop".parse().expect("a name"), &"web".parse().expect("a type"));
        let of = |own: Value, containers: &Value| {
            let container = json!({ "Labels": containers });
            missing(&json!({"Labels": own, "TaskTemplate": {"ContainerSpec": container}}), &wanted)
        };
        assert_eq!(of(wanted.clone(), &wanted), [""; 0]);
        let of_world = json!({ label::WORLD: "w", label::PROCESS_TYPE: "web" });
        assert_eq!(of(of_world, &wanted), ["--label-add com.dokku.app-name=shop"]);
        assert_eq!(of(json!({}), &wanted).len(), 3);
        assert_eq!(of(json!({}), &json!({})), [""; 0], "it is somebody else's");
        let mut other = wanted.clone();
        other[label::WORLD] = json!("v");
        assert_eq!(of(json!({}), &other), [""; 0], "it is of another world");
    }
}
