//! Whether a path still leads to the same file.

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, Stat};

use crate::WriteError;
use crate::create::absent;

/// The identity of a file, to find out later whether it was replaced.
#[derive(Debug)]
pub struct Pin {
    path: PathBuf,
    /// The file is kept open, so that no other file can get the same inode number meanwhile.
    file: Option<(OwnedFd, Stat)>,
}

impl Pin {
    /// The file at a path, which need not exist.
    pub fn of(path: &Path) -> Result<Self, WriteError> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || {
            rustix::fs::open(path, flags, Mode::empty())
                .and_then(|fd| rustix::fs::fstat(&fd).map(|stat| (fd, stat)))
        };
        let file = absent(open()).map_err(|errno| WriteError::new("read", path, errno))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Whether the file at the path is still the same, or is still missing.
    pub fn holds(&self) -> Result<bool, WriteError> {
        let now = absent(rustix::fs::lstat(&self.path))
            .map_err(|errno| WriteError::new("read", &self.path, errno))?;
        let identity = |stat: &Stat| (stat.st_dev, stat.st_ino);
        Ok(now.as_ref().map(identity) == self.file.as_ref().map(|(_, stat)| identity(stat)))
    }
}

/// Whether an open file is still the one at a path. Another program may have renamed, removed or replaced it.
pub fn is_at(file: &File, path: &Path) -> bool {
    let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let ours = file.metadata().map(identity).ok();
    ours.is_some() && fs::symlink_metadata(path).map(identity).ok() == ours
}
