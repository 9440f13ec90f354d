//! Whether somebody has frozen the cgroup of a process. A frozen process looks to its supervisor like one that has nothing to do.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the two versions of cgroups are mounted on every usual machine.
const MOUNTS: &str = "/sys/fs/cgroup";
const MOUNT_V1: &str = "/sys/fs/cgroup/freezer";
const MOUNT_MIXED: &str = "/sys/fs/cgroup/unified";

/// The file that thaws the group of this process, and what has to be written there; `None` if it is not frozen.
pub(super) fn thawing(pid: u32) -> Option<(PathBuf, &'static str)> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    groups.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, group) = (fields.next()?, fields.next()?.trim_start_matches('/'));
        if controllers.split(',').any(|controller| controller == "freezer") {
            let file = Path::new(MOUNT_V1).join(group).join("freezer.state");
            return has_line(&file, "FROZEN").then_some((file, "THAWED"));
        }
        let group = [MOUNTS, MOUNT_MIXED].map(|mount| Path::new(mount).join(group));
        let frozen = group.iter().find(|group| has_line(&group.join("cgroup.events"), "frozen 1"));
        let frozen = frozen.filter(|_| controllers.is_empty())?;
        Some((frozen.join("cgroup.freeze"), "0"))
    })
}

fn has_line(file: &Path, wanted: &str) -> bool {
    fs::read_to_string(file).is_ok_and(|text| text.lines().any(|line| line == wanted))
}
