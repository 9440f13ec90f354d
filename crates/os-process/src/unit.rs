//! Finds the systemd service that has a process as its main process. systemd watches only that process: when it ends,
//! systemd may end all others of the service and start it anew. A program that ends the process from outside has to know
//! that.
//!
//! `/proc` does not name the service directly, but three facts together do: the cgroup is that of a service; the
//! environment has the variables that systemd sets; and the process is the one that systemd started. A process that cleared
//! its environment, or that may not be examined, counts as belonging to no service.

use std::fs;

use crate::mark::environment;
use crate::stat::{self, Stat};

/// The service whose main process this is, such as `shop.service`; `None` if there is none or it cannot be determined.
///
/// `SYSTEMD_EXEC_PID` (systemd 248) is the process that systemd started: this one, or a shell that became its parent. If
/// only `INVOCATION_ID` is set (systemd 232), the parent must be systemd itself, that of the machine or of a user.
pub fn service_unit(pid: u32) -> Option<String> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let unit = unit_of(&groups)?;
    let environment = environment(pid)?;
    let parent = Stat::of(pid)?.parent;
    let is_started_by_systemd = match value(&environment, b"SYSTEMD_EXEC_PID=") {
        Some(started) => [pid, parent].iter().any(|pid| started == pid.to_string().as_bytes()),
        None => value(&environment, b"INVOCATION_ID=").is_some() && stat::name(parent) == "systemd",
    };
    is_started_by_systemd.then(|| unit.to_owned())
}

/// The service in `/proc/<pid>/cgroup`. On a machine with several hierarchies systemd uses its own, or that of version 2. A
/// service may make groups below its own, so the last name that is a service's counts.
fn unit_of(groups: &str) -> Option<&str> {
    let paths = groups.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    paths.flat_map(|path| path.rsplit('/')).find(|name| name.ends_with(".service"))
}

fn value<'a>(environment: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    environment.split(|byte| *byte == 0).find_map(|entry| entry.strip_prefix(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_read_from_either_version_of_control_groups() {
        let second = "0::/system.slice/shop.service\n";
        let first = "5:cpu,cpuacct:/\n1:name=systemd:/system.slice/shop.service\n0::/\n";
        let both = "9:name=systemd:/\n8:pids:/system.slice/shop.service\n0::/system.slice/shop.service\n";
        let delegated = "0::/system.slice/shop.service/supervisor\n";
        for groups in [second, first, both, delegated] {
            assert_eq!(unit_of(groups), Some("shop.service"), "{groups}");
        }
        let of_user = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/shop.service\n";
        assert_eq!(unit_of(of_user), Some("shop.service"));
        for groups in ["0::/user.slice/user-0.slice/session-3.scope\n", "0::/\n", "", "nonsense"] {
            assert_eq!(unit_of(groups), None, "{groups:?}");
        }
    }

    #[test]
    fn a_process_that_systemd_did_not_start_is_no_main_process() {
        assert_eq!(service_unit(std::process::id()), None);
        assert_eq!(service_unit(u32::MAX), None);
    }
}
