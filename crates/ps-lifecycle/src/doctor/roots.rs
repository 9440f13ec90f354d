//! Checks the two directories that contain all data of apps.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use ps_apps::World;
use ps_rows::FindingRow;
use rustix::fs::{Access, Mode, OFlags, StatVfsMountFlags, statvfs};
use rustix::io::Errno;
use rustix::process::geteuid;

/// With less free space, in bytes, logs will soon be lost.
const ROOM: u64 = 256 << 20;
/// With fewer free inodes, files can soon no longer be created.
const INODES: u64 = 1000;
/// What helps where nothing can be written.
const WRITABLE: &str = "mount it writable (after errors: fsck)";

/// Whether the user who calls the verb can write to both root directories.
pub(super) fn roots(world: &World) -> Vec<FindingRow> {
    [("DOKKU_ROOT", world.root()), ("DOKKU_LIB_ROOT", world.lib())]
        .map(|(name, path)| root(name, path))
        .into()
}

fn root(name: &str, path: &Path) -> FindingRow {
    const CHECK: &str = "roots";
    let there = there(path);
    let shown = path.display();
    let own = geteuid().as_raw();
    if is_read_only(&there) {
        return FindingRow::fail(
            CHECK,
            format!("{name} is {shown}, on a read-only file system: apps can be stopped, and nothing else"),
            WRITABLE,
        );
    }
    if rustix::fs::access(&there, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let owner = fs::metadata(&there)
            .map_or_else(|_| "nobody".to_owned(), |file| os_process::user_name(file.uid()));
        return FindingRow::fail(
            CHECK,
            format!(
                "{name} is {shown}, and {} cannot write to {} of {owner}",
                os_process::user_name(own),
                there.display()
            ),
            format!("run the programs as {owner}, or name another directory with {name}"),
        );
    }
    if there != path {
        return FindingRow::pass(CHECK, format!("{name} is {shown}: the first deploy creates it"));
    }
    match fs::metadata(path) {
        Ok(file) if own == 0 && file.uid() != 0 => FindingRow::pass(
            CHECK,
            format!(
                "{name} is {shown} of {}, whose apps run as that user",
                os_process::user_name(file.uid())
            ),
        ),
        _ => FindingRow::pass(CHECK, format!("{name} is {shown} and can be written")),
    }
}

/// The directory itself, or else the nearest existing directory above it.
fn there(path: &Path) -> PathBuf {
    path.ancestors().find(|above| above.is_dir()).unwrap_or(Path::new("/")).to_owned()
}

/// Whether nothing can be written there, whoever asks. After errors the kernel may refuse every write without calling the file system read-only, so
/// a file without a name is made, which is gone at once.
fn is_read_only(path: &Path) -> bool {
    let is_marked = || statvfs(path).is_ok_and(|system| system.f_flag.contains(StatVfsMountFlags::RDONLY));
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    is_marked()
        || rustix::fs::open(path, flags, Mode::from_raw_mode(0o600)).is_err_and(|errno| errno == Errno::ROFS)
}

/// Whether there is room, once for each file system.
pub(super) fn disk(world: &World) -> Vec<FindingRow> {
    let (root, lib) = (there(world.root()), there(world.lib()));
    let device = |path: &Path| fs::metadata(path).map(|file| file.dev()).ok();
    let mut places = vec![lib];
    if device(&root) != device(&places[0]) {
        places.push(root);
    }
    places.iter().map(|path| room(path)).collect()
}

fn room(path: &Path) -> FindingRow {
    const CHECK: &str = "disk";
    let shown = path.display();
    let system = match statvfs(path) {
        Ok(system) => system,
        Err(errno) => {
            return FindingRow::warn(
                CHECK,
                format!("the free space of {shown} cannot be determined: {errno}"),
                "check the file system",
            );
        }
    };
    if is_read_only(path) {
        return FindingRow::fail(CHECK, format!("{shown} lies on a read-only file system"), WRITABLE);
    }
    let free = system.f_bavail.saturating_mul(system.f_frsize);
    let (megabytes, inodes) = (free >> 20, system.f_favail);
    // File systems that create inodes on demand report a total of 0.
    let lacks_inodes = system.f_files > 0 && inodes < INODES;
    let found = format!("{shown} has {megabytes} MiB and {inodes} inodes left");
    let cure = "free some space: ps-lifecycle retire --all, a smaller log-max-size, or a larger file system";
    match (free == 0 || (lacks_inodes && inodes == 0), free < ROOM || lacks_inodes) {
        (true, _) => FindingRow::fail(CHECK, found, cure),
        (_, true) => FindingRow::warn(CHECK, found, cure),
        _ if system.f_files == 0 => FindingRow::pass(CHECK, format!("{shown} has {megabytes} MiB left")),
        _ => FindingRow::pass(CHECK, found),
    }
}
