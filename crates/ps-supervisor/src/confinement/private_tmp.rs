//! Private directories for temporary files: a mount namespace in which an empty file system in memory is mounted over
//! each of them. It disappears with the last process in the namespace, so nothing needs to be removed.
//!
//! Root can make such a namespace directly. Any other user needs a user namespace around it, which has only this user
//! and group: programs like sudo do not work in it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::sched::{CloneFlags, unshare};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::process::{getegid, geteuid};

/// What is private.
const PLACES: [&str; 2] = ["/tmp", "/var/tmp"];
/// Settings of the kernel, each with the value that allows only root to create a user namespace.
const USER_NAMESPACES: [(&str, &str); 3] = [
    ("/proc/sys/user/max_user_namespaces", "0"),
    ("/proc/sys/kernel/unprivileged_userns_clone", "0"),
    ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"),
];

/// This process, which has one thread, and whatever it becomes or starts sees them empty.
pub(super) fn enter() -> io::Result<()> {
    match unshare(CloneFlags::CLONE_NEWNS) {
        Ok(()) => (),
        Err(nix::errno::Errno::EPERM) => enter_with_users()?,
        Err(errno) => return Err(errno.into()),
    }
    // What is mounted outside from now on is seen here too, and nothing that is mounted here is seen outside.
    mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)?;
    for place in PLACES.map(Path::new).into_iter().filter(|place| place.is_dir()) {
        mount("tmpfs", place, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, Some(c"mode=1777"))?;
    }
    Ok(())
}

fn enter_with_users() -> io::Result<()> {
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)?;
    fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    // A process that may drop a group could open files whose mode denies access to that group, so the kernel asks for
    // this before it maps a group.
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/gid_map", format!("{group} {group} 1"))
}

/// The reason why only root can have private directories here, if there is one.
pub(super) fn obstacle() -> Option<String> {
    let is_set =
        |(file, value): &(&str, &str)| fs::read_to_string(file).is_ok_and(|text| text.trim() == *value);
    if let Some((file, value)) = USER_NAMESPACES.into_iter().find(is_set) {
        return Some(format!(
            "the supervisor is not root, and the kernel gives nobody else a namespace of users ({file} is {value})"
        ));
    }
    (!Path::new("/proc/self/ns/user").exists())
        .then(|| "the supervisor is not root, and the kernel has no namespaces of users".to_owned())
}

/// Which of the private directories contains a path.
pub(super) fn hides(path: &Path) -> Option<&'static Path> {
    let resolved: PathBuf = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    PLACES.map(Path::new).into_iter().find(|place| resolved.starts_with(place))
}
