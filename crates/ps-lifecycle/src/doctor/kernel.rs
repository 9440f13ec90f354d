//! Checks the features and settings of the kernel.

use std::fs;

use anyhow::Result;
use ps_apps::World;
use ps_rows::FindingRow;
use rustix::process::{PidfdFlags, Resource, geteuid, getpid, getrlimit, pidfd_open};

/// The name of the check of ports.
pub(super) const PORTS: &str = "ports";

/// Descriptors that a supervisor of 100 instances with an address needs, with room for clients.
const DESCRIPTORS: u64 = 4096;
/// With fewer watches and instances of inotify, `watch-paths` of a large source tree is refused.
const WATCHES: u64 = 8192;
const INSTANCES: u64 = 128;
/// The first port above the range from which apps get theirs.
const AFTER_OUR_PORTS: u16 = 20_000;

/// Whether the kernel has pidfds. Without them a signal could reach another process that got the same pid.
pub(super) fn kernel() -> FindingRow {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    match pidfd_open(getpid(), PidfdFlags::empty()) {
        Ok(_) => FindingRow::pass("kernel", format!("Linux {release} has pidfd")),
        Err(errno) => FindingRow::fail(
            "kernel",
            format!("Linux {release} has no pidfd ({errno}), which supervisors need"),
            "run Linux 5.4 or later; in a container, allow pidfd_open in its seccomp profile",
        ),
    }
}

/// Whether `/proc` shows the processes of all users, because an app's stray processes are found there.
pub(super) fn processes() -> FindingRow {
    const CHECK: &str = "processes";
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let options = mounts.lines().rev().find(|line| line.split(' ').nth(1) == Some("/proc"));
    let Some(options) = options.and_then(|line| line.split(' ').nth(3)) else {
        return FindingRow::fail(
            CHECK,
            "/proc is not mounted: supervisors cannot find processes",
            "mount -t proc proc /proc",
        );
    };
    let hides = options.split(',').any(|option| option.starts_with("hidepid=") && !is_open(option));
    if hides && !geteuid().is_root() {
        return FindingRow::warn(
            CHECK,
            "/proc hides the processes of other users (hidepid): who holds a port, and what an app runs as another user, stays unknown",
            "give the apps' user the group that the mount option gid= names, or mount /proc with hidepid=0",
        );
    }
    FindingRow::pass(CHECK, "/proc shows all processes")
}

fn is_open(option: &str) -> bool {
    matches!(option, "hidepid=0" | "hidepid=off" | "hidepid=1" | "hidepid=noaccess")
}

/// Whether the limits of an app (`memory-max`, `cpu-max`, `pids-max`) can be enforced.
pub(super) fn limits(supervisor: Option<u32>) -> FindingRow {
    const CHECK: &str = "limits";
    let version = if fs::exists("/sys/fs/cgroup/cgroup.controllers").unwrap_or(false) { 2 } else { 1 };
    let lacks = ps_supervisor::lacking_controllers(supervisor, geteuid().as_raw());
    if lacks.is_empty() {
        return FindingRow::pass(
            CHECK,
            format!("cgroups version {version}: memory, cpu and pids can be limited"),
        );
    }
    let lacks: Vec<String> = lacks.iter().map(|(name, why)| format!("{name}: {why}")).collect();
    let cure = if geteuid().is_root() {
        "boot with the controllers enabled (memory: cgroup_enable=memory); in a container, mount the cgroups writable"
    } else {
        "have systemd delegate a group: ps-lifecycle boot enable writes Delegate=yes; or run the supervisors as root"
    };
    FindingRow::warn(CHECK, format!("cgroups version {version}: {}", lacks.join("; ")), cure)
}

/// Whether supervisors and balancers may open enough file descriptors.
pub(super) fn descriptors() -> FindingRow {
    let most = getrlimit(Resource::Nofile).maximum;
    match most {
        Some(most) if most < DESCRIPTORS => FindingRow::warn(
            "descriptors",
            format!("a process may have {most} descriptors, and a balancer needs two for each client"),
            format!(
                "raise the hard limit (LimitNOFILE= of the unit, or ulimit -Hn) to {DESCRIPTORS} or more"
            ),
        ),
        Some(most) => FindingRow::pass("descriptors", format!("a process may have {most} descriptors")),
        None => FindingRow::pass("descriptors", "a process may have any number of descriptors"),
    }
}

/// Whether files can be watched, for `watch-paths` and for following logs.
pub(super) fn inotify() -> FindingRow {
    let read = |name: &str| -> Option<u64> {
        fs::read_to_string(format!("/proc/sys/fs/inotify/{name}")).ok()?.trim().parse().ok()
    };
    match (read("max_user_watches"), read("max_user_instances")) {
        (Some(watches), Some(instances)) if watches >= WATCHES && instances >= INSTANCES => FindingRow::pass(
            "inotify",
            format!("a user may have {instances} instances and {watches} watches of inotify"),
        ),
        (Some(watches), Some(instances)) => FindingRow::warn(
            "inotify",
            format!(
                "a user may have {instances} instances and {watches} watches of inotify: few for watch-paths"
            ),
            format!(
                "sysctl fs.inotify.max_user_watches={WATCHES} fs.inotify.max_user_instances={INSTANCES} (or more)"
            ),
        ),
        _ => FindingRow::warn(
            "inotify",
            "the kernel has no inotify: watch-paths does nothing",
            "run a kernel with CONFIG_INOTIFY_USER",
        ),
    }
}

/// Whether an outgoing connection could take the port of an app while the app restarts.
pub(super) fn ports(world: &World) -> Result<FindingRow> {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut ends = range.split_whitespace().filter_map(|end| end.parse::<u16>().ok());
    let (Some(first), Some(last)) = (ends.next(), ends.next()) else {
        return Ok(FindingRow::pass(
            PORTS,
            "the range of ports for outgoing connections cannot be read here",
        ));
    };
    if first >= AFTER_OUR_PORTS {
        return Ok(FindingRow::pass(PORTS, format!("outgoing connections use the ports {first} to {last}")));
    }
    let reserved = fs::read_to_string("/proc/sys/net/ipv4/ip_local_reserved_ports").unwrap_or_default();
    let count = world.apps()?.len();
    Ok(FindingRow::warn(
        PORTS,
        format!(
            "outgoing connections use the ports {first} to {last}{}: one may hold the port that one of {count} apps is given (5000, 6000, …)",
            if reserved.trim().is_empty() { String::new() } else { format!(" but {}", reserved.trim()) }
        ),
        format!(
            "sysctl net.ipv4.ip_local_port_range=\"32768 60999\", or reserve those below {AFTER_OUR_PORTS}"
        ),
    ))
}
