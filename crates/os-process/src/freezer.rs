//! Frozen processes do not act on signals; in a freezer of cgroup v1 not even on SIGKILL. They are thawed before they are
//! ended.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::cgroup::{self, cgroup2_mount, mounts};

const V1_FILE: &str = "freezer.state";
const V1_CONTROLLER: &str = "freezer";

/// A group that has a freezer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Freezer {
    V1(PathBuf),
    V2(PathBuf),
}

/// Thaws the groups of these processes, except groups that this process is in, since those are not frozen. Groups that
/// this process may not thaw stay frozen.
pub(crate) fn thaw(pids: impl IntoIterator<Item = u32>) {
    let own = freezers_of("self");
    let theirs = pids.into_iter().flat_map(|pid| freezers_of(&pid.to_string()));
    let foreign: BTreeSet<Freezer> = theirs.filter(|freezer| !own.contains(freezer)).collect();
    for freezer in foreign {
        // Read only here: the table of mounts can be long, but frozen groups are rare.
        let _ = match freezer {
            Freezer::V1(group) => mounts().and_then(freezer_mount).map(|mount| thaw_v1(&mount.join(group))),
            Freezer::V2(group) => {
                mounts().and_then(cgroup2_mount).map(|mount| cgroup::thaw(&mount.join(group)))
            }
        };
    }
}

fn thaw_v1(group: &Path) {
    let file = group.join(V1_FILE);
    if fs::read_to_string(&file).is_ok_and(|state| state.trim() != "THAWED") {
        let _ = fs::write(file, "THAWED");
    }
}

/// The groups with a freezer that a process is in, except root groups.
fn freezers_of(process: &str) -> Vec<Freezer> {
    let groups = fs::read_to_string(format!("/proc/{process}/cgroup")).unwrap_or_default();
    groups.lines().filter_map(freezer_in).collect()
}

/// A line of `/proc/<pid>/cgroup`: `0::/formation/x` of version 2, `7:freezer:/x` of version 1.
fn freezer_in(line: &str) -> Option<Freezer> {
    let mut fields = line.splitn(3, ':').skip(1);
    let controllers = fields.next()?;
    let group = PathBuf::from(fields.next()?.trim_start_matches('/'));
    if group.as_os_str().is_empty() {
        return None;
    }
    if controllers.is_empty() {
        return Some(Freezer::V2(group));
    }
    controllers.split(',').any(|controller| controller == V1_CONTROLLER).then_some(Freezer::V1(group))
}

/// The mount point of the freezer of cgroup v1 (proc(5), mountinfo).
fn freezer_mount(mut mountinfo: impl Iterator<Item = String>) -> Option<PathBuf> {
    mountinfo.find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        let mut kind = kind.split(' ');
        let is_freezer =
            kind.next() == Some("cgroup") && kind.nth(1)?.split(',').any(|word| word == V1_CONTROLLER);
        is_freezer.then(|| mount.split(' ').nth(4).map(PathBuf::from))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_freezers_of_a_process_are_read_from_both_versions() {
        assert_eq!(freezer_in("0::/formation/a:b"), Some(Freezer::V2("formation/a:b".into())));
        assert_eq!(freezer_in("7:cpu,freezer:/x"), Some(Freezer::V1("x".into())));
        for other in ["0::/", "7:freezer:/", "3:cpu:/x", "1:name=systemd:/x", "", "0"] {
            assert_eq!(freezer_in(other), None, "{other:?}");
        }
        let mountinfo =
            ["30 23 0:26 / /c/cpu rw - cgroup cgroup rw,cpu", "31 23 0:27 / /c/f rw - cgroup x rw,freezer"];
        let mounted = freezer_mount(mountinfo.into_iter().map(str::to_owned));
        assert_eq!(mounted, Some(PathBuf::from("/c/f")));
    }
}
