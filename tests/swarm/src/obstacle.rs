//! Why this machine can have no cluster.

use std::env;
use std::process::{Command, Stdio};

/// What the script `cluster` runs.
const PROGRAMS: [&str; 10] =
    ["curl", "docker", "docker-init", "dockerd", "ip", "iptables", "nsenter", "pgrep", "setsid", "unshare"];

/// `None`: it can have one.
pub(crate) fn of_this_machine() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("no root: a cluster of engines needs namespaces".to_owned());
    }
    if let Some(missing) = PROGRAMS.into_iter().find(|program| !is_here(program)) {
        return Some(format!("no {missing}: a cluster of engines needs it (scripts/setup)"));
    }
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "true"]);
    let can =
        unshare.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    (!can).then(|| "no namespaces of its own for an engine: the kernel refuses them".to_owned())
}

fn is_here(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|dir| dir.join(program).is_file())
}
