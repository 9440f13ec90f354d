//! Keys of a service that Compose does not have.

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

/// The keys of a service that Compose does not define: neither those that are carried over nor those that are known and
/// have no effect here.
pub(crate) fn of(name: &str, service: &Node, known: &[&[&'static str]]) -> Vec<UnknownKey> {
    let known = || known.iter().copied().flatten().chain(&UNHEEDED).copied();
    let is_unknown = |key: &&String| !known().any(|name| name == *key) && !key.starts_with("x-");
    let keys = service.entries().iter().map(|(key, _)| key).filter(is_unknown);
    keys.map(|key| UnknownKey { place: format!("services.{name}.{key}"), meant: nearest(key, known()) })
        .collect()
}
