//! Creates directories durably, with the owner of the directory that contains them.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

use crate::WriteError;
use crate::access::{Access, chown};
use crate::syncs::Syncs;

/// Creates a root directory and the directories above it durably, if they do not exist.
pub fn create_root(root: &Path) -> Result<(), WriteError> {
    create_path(root, 0o777)
}

/// As [`create_root`], for directories that only their owner may look into: each new one gets the mode 0700.
pub fn create_private(path: &Path) -> Result<(), WriteError> {
    create_path(path, 0o700)
}

fn create_path(path: &Path, mode: u32) -> Result<(), WriteError> {
    match std::fs::metadata(path) {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (),
        Err(error) => return Err(WriteError::new("read", path, error)),
    }
    if let Some(above) = path.parent().filter(|above| *above != Path::new("")) {
        create_path(above, mode)?;
    }
    let made = match rustix::fs::mkdirat(CWD, path, Mode::from_raw_mode(mode)) {
        // An existing directory is synced as well: another process may have created it a moment ago and been
        // killed before it synced.
        Ok(()) | Err(Errno::EXIST) => sync_parent(path, None),
        made => made,
    };
    made.map_err(|errno| WriteError::new("create", path, errno))
}

/// Creates the directories between `base` and `path`, each with mode 0755 and the owner of `base`, which must
/// exist.
pub fn create_below(base: &Path, path: &Path) -> Result<(), WriteError> {
    create(base, path, None)
}

/// As [`create_below`]; the directories are durable once `syncs` are finished.
pub fn create_below_with(base: &Path, path: &Path, syncs: &Syncs) -> Result<(), WriteError> {
    create(base, path, Some(syncs))
}

pub(crate) fn create(base: &Path, path: &Path, syncs: Option<&Syncs>) -> Result<(), WriteError> {
    // The directories nearly always exist, and this function runs before every write, so it looks first.
    let doubted = syncs.filter(|syncs| syncs.are_of_a_later_try());
    if path.is_dir() && doubted.is_none() {
        return Ok(());
    }
    let owner = Access::like(base, 0o755).owner;
    let below = path.strip_prefix(base).unwrap_or(Path::new(""));
    let mut current = base.to_owned();
    for part in below.components() {
        current.push(part);
        match rustix::fs::mkdirat(CWD, &current, Mode::from_raw_mode(0o755)) {
            Ok(()) => {
                own_durably(&current, owner, syncs)
                    .map_err(|errno| WriteError::new("create", &current, errno))?;
            }
            Err(Errno::EXIST) => {
                doubted
                    .map_or(Ok(()), |syncs| sync_parent(&current, Some(syncs)))
                    .map_err(|errno| WriteError::new("sync", &current, errno))?;
            }
            Err(errno) => return Err(WriteError::new("create", &current, errno)),
        }
    }
    Ok(())
}

/// Gives a new directory its owner and makes its name durable, or removes it.
fn own_durably(path: &Path, owner: Option<(u32, u32)>, syncs: Option<&Syncs>) -> Result<(), Errno> {
    let owned = chown(CWD, path, owner).and_then(|()| sync_parent(path, syncs));
    if owned.is_err() {
        let _ = rustix::fs::rmdir(path);
    }
    owned
}

fn sync_parent(path: &Path, syncs: Option<&Syncs>) -> Result<(), Errno> {
    let path = match path.parent() {
        Some(parent) if parent == Path::new("") => Path::new("."),
        parent => parent.unwrap_or(path),
    };
    let parent = open_parent(path)?;
    match syncs {
        Some(syncs) => syncs.add_directory(path, parent),
        None => retry_on_intr(|| rustix::fs::fsync(&parent)),
    }
}

/// `None` if no file exists at the path.
pub(crate) fn absent<T>(result: Result<T, Errno>) -> Result<Option<T>, Errno> {
    match result {
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        other => other.map(Some),
    }
}

/// Opens a directory that contains others; it may be a symbolic link.
fn open_parent(path: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

pub(crate) fn open_dir(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
}
