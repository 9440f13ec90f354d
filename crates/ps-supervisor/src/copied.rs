//! A service directory that is a copy of another one, such as a backup of a whole world. Its files name the processes, the
//! cgroups and the clients of the original, whose supervisor keeps them. To whoever works in the copy they must be as good as
//! those of an earlier boot: something that ran, and of which nothing is left (`disown.rs`).
//!
//! The first block of `state` says in which directory it was written. A directory that was moved, or put back where it had been,
//! is no copy: there is no other one that keeps its processes.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::spec::Spec;
use crate::state::head;

/// The directory that this one is a copy of, if that still is a service directory.
pub(crate) fn original(service: &Path) -> Option<PathBuf> {
    let written = head::written(service)?;
    let from = PathBuf::from(written.directory?);
    if from == service || !Spec::is_in(&from) {
        return None;
    }
    let there = from.metadata().ok()?;
    let here = service.metadata().ok()?;
    let is_same = (there.dev(), there.ino()) == (here.dev(), here.ino());
    // A directory that was moved has kept the file, so what lies in its former place now was made there later.
    let file = service.join(head::FILE).symlink_metadata().ok()?;
    let was_moved = written.inode == Some(file.ino()) && file.dev() == there.dev();
    (!is_same && !was_moved).then_some(from)
}
