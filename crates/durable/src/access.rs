//! Mode, owner and group of files that are written.

use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{AtFlags, Gid, Uid};
use rustix::io::Errno;

/// The mode, owner and group that a file is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Permission bits, for example 0o600.
    pub mode: u32,
    /// Owner and group; `None`: those of this process.
    pub owner: Option<(u32, u32)>,
}

impl Access {
    /// `mode`, with the owner and group of `path`. If this process is not root, or `path` does not exist, owner and
    /// group are those of this process.
    pub fn like(path: &Path, mode: u32) -> Self {
        let owner = if rustix::process::geteuid().is_root() {
            std::fs::metadata(path).ok().map(|metadata| (metadata.uid(), metadata.gid()))
        } else {
            None
        };
        Self { mode, owner }
    }
}

/// Gives a name in a directory this owner and group. If the name is a symbolic link, the link itself gets them.
pub(crate) fn chown(
    dir: impl AsFd,
    name: impl rustix::path::Arg,
    owner: Option<(u32, u32)>,
) -> Result<(), Errno> {
    let Some((uid, gid)) = owner else { return Ok(()) };
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    rustix::fs::chownat(dir, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
}
