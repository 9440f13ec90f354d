//! What tells readers that the file is out of date although it is still there: its writer can neither write nor remove it, because the disk
//! takes no change. A lock (flock) needs none.

use std::fs::File;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// The file, locked for as long as this lives.
#[derive(Debug)]
pub(super) struct Outdated {
    _locked: File,
}

impl Outdated {
    /// Locks the file; `None`: there is none. A reader that looks at the lock at this moment keeps it from being taken, so it is to be tried
    /// again.
    pub(super) fn lock(path: &Path) -> Option<Self> {
        let file = durable::open(path).ok()?;
        let _ = flock(&file, FlockOperation::NonBlockingLockExclusive);
        Some(Self { _locked: file })
    }
}

/// Whether the writer of this open file has locked it.
pub(super) fn is_locked(file: &File) -> bool {
    let locked = flock(file, FlockOperation::NonBlockingLockShared);
    let _ = flock(file, FlockOperation::NonBlockingUnlock);
    locked == Err(Errno::WOULDBLOCK)
}
