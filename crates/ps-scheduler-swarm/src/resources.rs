//! What instances need of the nodes that may run them: memory that is reserved for each, and CPUs. Pure.

use formation::ProcessType;
use ps_scheduler::Release;
use serde_json::Value;
use type_settings::TypeSettings;

use crate::spec;

/// Why `wanted` instances of a type can find no room, whatever else runs; `None`: they may. `nodes` are those that may run the type.
///
/// A limit of memory keeps no instance from a node: only what is reserved does. An engine refuses a container that may use more CPUs than it
/// has.
pub(crate) fn refusal(
    release: &Release,
    process_type: &ProcessType,
    wanted: u16,
    nodes: &[&Value],
) -> Option<String> {
    let settings = release.settings(process_type);
    of_cpus(settings, process_type, nodes)
        .or_else(|| of_reservation(release, process_type, wanted, nodes))
        .filter(|_| wanted > 0 && !nodes.is_empty())
}

fn of_cpus(settings: &TypeSettings, process_type: &ProcessType, nodes: &[&Value]) -> Option<String> {
    let needed = spec::nano_cpus(settings.cpu_max?);
    let most = nodes.iter().filter_map(|node| of(node, "NanoCPUs")).max()?;
    (needed > most).then(|| {
        format!(
            "{process_type}.cpu-max is {}, and no node that may run {process_type} has more than {} CPUs, so that each refuses it",
            settings.cpu_max.map(|most| most.to_string()).unwrap_or_default(),
            most / 1_000_000_000,
        )
    })
}

fn of_reservation(
    release: &Release,
    process_type: &ProcessType,
    wanted: u16,
    nodes: &[&Value],
) -> Option<String> {
    let needed = spec::reserved_memory(release.settings(process_type))?;
    let sizes: Vec<u64> = nodes.iter().filter_map(|node| of(node, "MemoryBytes")).collect();
    let room: u64 = sizes.iter().filter_map(|size| size.checked_div(needed.bytes())).sum();
    if sizes.is_empty() || room >= u64::from(wanted) {
        return None;
    }
    let biggest = gigabytes(sizes.into_iter().max().unwrap_or(0));
    let app = &release.app;
    Some(match room {
        0 => format!(
            "{process_type}.engine-options reserves {needed} of memory (memory-reservation), and no node that may run {process_type} has more than {biggest}"
        ),
        _ => format!(
            "{process_type}.engine-options reserves {needed} of memory for each instance (memory-reservation), for which the nodes that may run {process_type} have room {room} times and not {wanted}: scale {app} down, or reserve less"
        ),
    })
}

/// What should be known of a limit that no node can reach.
pub(crate) fn remark(release: &Release, process_type: &ProcessType, nodes: &[&Value]) -> Option<String> {
    let limit = release.settings(process_type).memory_max?;
    let most = nodes.iter().filter_map(|node| of(node, "MemoryBytes")).max()?;
    (limit.bytes() > most).then(|| {
        format!(
            "warning: {process_type}.memory-max is {limit}, and no node that may run {process_type} has more than {}: it runs, and the limit limits nothing",
            gigabytes(most)
        )
    })
}

/// An amount of memory as a person reads it, in the unit of the settings.
fn gigabytes(bytes: u64) -> String {
    let tenths = bytes * 10 / (1 << 30);
    format!("{}.{}g", tenths / 10, tenths % 10)
}

fn of(node: &Value, what: &str) -> Option<u64> {
    node["Description"]["Resources"][what].as_u64().filter(|much| *much > 0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::spec::tests::{release, set};

    fn node(gigabytes: u64, cpus: u64) -> Value {
        json!({"Description": {"Resources": {"MemoryBytes": gigabytes << 30, "NanoCPUs": cpus * 1_000_000_000}}})
    }

    fn said(settings: &[(&str, &str)], wanted: u16) -> (Option<String>, Option<String>) {
        let mut release = release("web");
        for (name, value) in settings {
            set(&mut release, name, value);
        }
        let (web, nodes) = ("web".parse().expect("a type"), [node(8, 2), node(16, 4)]);
        let nodes: Vec<&Value> = nodes.iter().collect();
        (refusal(&release, &web, wanted, &nodes), remark(&release, &web, &nodes))
    }

    #[test]
    fn what_no_node_has_room_for_is_refused_and_what_one_may_have_is_left_to_the_swarm() {
        for good in [("cpu-max", "4"), ("memory-max", "16g"), ("engine-options", "memory-reservation=16g")] {
            assert_eq!(said(&[good], 1), (None, None), "{good:?}");
        }
        assert_eq!(said(&[("engine-options", "memory-reservation=4g")], 6).0, None);
        let (cpus, _) = said(&[("cpu-max", "4.5")], 1);
        assert!(
            cpus.is_some_and(|said| said.contains("cpu-max is 4.5, and no node") && said.contains("4 CPUs"))
        );
        let (memory, _) = said(&[("engine-options", "memory-reservation=17g")], 1);
        assert!(memory.is_some_and(|said| said.contains("no node that may run web has more than 16.0g")));
        let (many, _) = said(&[("engine-options", "memory-reservation=4g")], 7);
        assert!(many.is_some_and(|said| said.contains("room 6 times and not 7: scale shop down")));
        assert_eq!(said(&[("cpu-max", "64")], 0).0, None, "nothing is to run");
    }

    #[test]
    fn a_limit_that_no_node_can_reach_is_said_to_limit_nothing() {
        let (refused, remark) = said(&[("memory-max", "900g")], 1);
        assert_eq!(refused, None, "a limit reserves nothing, so that it runs");
        let remark = remark.expect("it is more than each has");
        assert!(remark.contains("memory-max is 900g") && remark.contains("more than 16.0g"), "{remark}");
    }
}
