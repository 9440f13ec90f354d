//! Keys of a service that Compose does not have, and parts of its keys that have no effect here.

use crate::import::UnknownKey;
use crate::import::node::Node;
use crate::near::nearest;

/// What asks for something that is not done.
const UNHEEDED: [&str; 44] = [
    "annotations",
    "blkio_config",
    "cgroup",
    "cgroup_parent",
    "container_name",
    "cpu_count",
    "cpu_percent",
    "cpu_period",
    "cpu_quota",
    "cpu_rt_period",
    "cpu_rt_runtime",
    "cpu_shares",
    "cpuset",
    "credential_spec",
    "device_cgroup_rules",
    "devices",
    "extends",
    "external_links",
    "gpus",
    "ipc",
    "isolation",
    "label_file",
    "links",
    "log_driver",
    "log_opt",
    "mac_address",
    "mem_swappiness",
    "memswap_limit",
    "models",
    "network_mode",
    "net",
    "oom_kill_disable",
    "pid",
    "platform",
    "post_start",
    "pre_stop",
    "privileged",
    "provider",
    "runtime",
    "storage_opt",
    "use_api_socket",
    "userns_mode",
    "uts",
    "volumes_from",
];

/// The parts of keys that are read, by the path of the key in a service.
const PARTS: [(&[&str], &[&str]); 5] = [
    (&["deploy"], &["replicas", "resources", "restart_policy", "mode"]),
    (&["deploy", "resources"], &["limits"]),
    (&["deploy", "resources", "limits"], &["memory", "cpus", "pids"]),
    (&["deploy", "restart_policy"], &["condition", "max_attempts"]),
    (
        &["healthcheck"],
        &["test", "interval", "timeout", "retries", "start_period", "start_interval", "disable"],
    ),
];

/// The parts of the service's keys that have no effect, each with its path: `deploy.update_config`.
pub(super) fn parts(service: &Node) -> Vec<String> {
    let mut unread = Vec::new();
    for (path, read) in PARTS {
        let node = path.iter().try_fold(service, |node, key| node.get(key));
        for (key, _) in node.map(Node::entries).unwrap_or_default() {
            if !read.contains(&key.as_str()) && !key.starts_with("x-") {
                unread.push(format!("{}.{key}", path.join(".")));
            }
        }
    }
    let depends = service.get("depends_on").map(Node::entries).unwrap_or_default();
    for (other, how) in depends {
        let is_set =
            |key: &str, usual: &str| how.get(key).and_then(Node::scalar).is_some_and(|word| word != usual);
        let asked = [("restart", "false"), ("required", "true")];
        let asked = asked.into_iter().filter(|(key, usual)| is_set(key, usual));
        unread.extend(asked.map(|(key, _)| format!("depends_on.{other}.{key}")));
    }
    unread
}

/// The keys of a service that Compose does not define: neither those that are carried over nor those that are known and
/// have no effect here.
pub(crate) fn of(name: &str, service: &Node, known: &[&[&'static str]]) -> Vec<UnknownKey> {
    let known = || known.iter().copied().flatten().chain(&UNHEEDED).copied();
    let is_unknown = |key: &&String| !known().any(|name| name == *key) && !key.starts_with("x-");
    let keys = service.entries().iter().map(|(key, _)| key).filter(is_unknown);
    keys.map(|key| UnknownKey { place: format!("services.{name}.{key}"), meant: nearest(key, known()) })
        .collect()
}
