//! The cgroup of a systemd unit that was delegated to us (`Delegate=yes`). In version 2, a group whose subgroups have
//! controllers may contain no processes. systemd before version 254 puts the main process of a unit into the unit's own
//! group. So it cannot start a unit again while earlier processes live in subgroups with controllers. Later versions
//! use a subgroup for the main process.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::cgroup::{UNIT_SUBGROUP, cgroup2_mount, mounts};
use crate::limits::CONTROL;

/// The subgroup into which systemd puts the processes that it starts for a unit in addition to the main one.
const CONTROL_PROCESSES: &str = ".control";

/// For a process that systemd starts when its unit has ended (`ExecStopPost=`): disables all controllers in the group of the unit
/// and in the groups below it, because processes of the apps still live there. Nothing is done if the next main process gets a
/// group of its own.
///
/// # Errors
/// The kernel refuses it.
pub fn take_controllers_from_unit() -> io::Result<()> {
    let own = fs::read_to_string("/proc/self/cgroup")?;
    let Some(mount) = mounts().and_then(cgroup2_mount) else { return Ok(()) };
    match unit(&mount, &own).filter(|unit| !unit.join(UNIT_SUBGROUP).is_dir()) {
        Some(unit) => take_controllers(&unit),
        None => Ok(()),
    }
}

/// The group of the unit that a control process with these groups belongs to.
fn unit(mount: &Path, groups: &str) -> Option<PathBuf> {
    let own = Path::new(groups.lines().find_map(|line| line.strip_prefix("0::/"))?);
    own.ends_with(CONTROL_PROCESSES).then(|| own.parent().map(|unit| mount.join(unit)))?
}

/// A group can disable a controller only if no group below it passes that controller on, so the lower groups come first.
fn take_controllers(group: &Path) -> io::Result<()> {
    for entry in
        fs::read_dir(group)?.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
    {
        // A lower group that has been removed meanwhile passes nothing on. If another one fails, the kernel reports an error for
        // the upper group as well.
        let _ = take_controllers(&entry.path());
    }
    let file = group.join(CONTROL);
    let given = fs::read_to_string(&file)?;
    let order: Vec<String> = given.split_whitespace().map(|name| format!("-{name}")).collect();
    if order.is_empty() { Ok(()) } else { fs::write(file, order.join(" ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_is_that_of_a_control_process_alone() {
        let of = |groups| unit(Path::new("/c"), groups);
        let known = Some(PathBuf::from("/c/system.slice/formation.service"));
        assert_eq!(of("0::/system.slice/formation.service/.control\n"), known);
        assert_eq!(of("1:name=systemd:/x\n0::/system.slice/formation.service/.control\n"), known);
        for other in
            ["0::/system.slice/formation.service\n", "0::/user.slice/session-3.scope\n", "0::/\n", ""]
        {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn every_group_of_a_unit_gives_up_what_it_gives_on() {
        let unit = tempfile::tempdir().expect("a directory");
        let below = unit.path().join("formation/web.1@1");
        fs::create_dir_all(&below).expect("made");
        let groups = [unit.path(), &unit.path().join("formation"), &below].map(|group| group.join(CONTROL));
        for (file, given) in groups.iter().zip(["cpu memory pids\n", "memory\n", "\n"]) {
            fs::write(file, given).expect("written");
        }
        take_controllers(unit.path()).expect("it is permitted");
        let orders = groups.map(|file| fs::read_to_string(file).expect("it is there"));
        assert_eq!(orders, ["-cpu -memory -pids", "-memory", "\n"]);
    }
}
