//! A service directory that is a copy of another one, such as a backup of a whole world. Its files name the processes, the
//! cgroups and the clients of the original, whose supervisor keeps them. To whoever works in the copy they must be as good as
//! those of an earlier boot: something that ran, and of which nothing is left.
//!
//! The first block of `state` says in which directory it was written. A directory that was moved, or put back where it had been,
//! is no copy: there is no other one that keeps its processes.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::spec::Spec;
use crate::state::{FILE as STATE_FILE, written_head};
use crate::status::Status;
use crate::{begun, groups, layout};

/// The directory that this one is a copy of, if that still is a service directory.
pub(crate) fn original(service: &Path) -> Option<PathBuf> {
    let head = written_head(service)?;
    let from = PathBuf::from(head.directory?);
    if from == service || !Spec::is_in(&from) {
        return None;
    }
    let there = from.metadata().ok()?;
    let here = service.metadata().ok()?;
    let is_same = (there.dev(), there.ino()) == (here.dev(), here.ino());
    // A directory that was moved has kept the file, so what lies in its former place now was made there later.
    let file = service.join(STATE_FILE).symlink_metadata().ok()?;
    let was_moved = head.inode == Some(file.ino()) && file.dev() == there.dev();
    (!is_same && !was_moved).then_some(from)
}

/// Makes a copy a directory of its own, whose processes have ended. Does nothing if it is none.
///
/// # Errors
/// A file cannot be written or removed. It is still a copy then.
pub(crate) fn disown(service: &Path) -> io::Result<()> {
    if original(service).is_none() {
        return Ok(());
    }
    for slot in layout::slots(service) {
        let directory = service.join(slot.to_string());
        if let Ok(Some(status)) = Status::read(&directory) {
            status.of_a_copy().write(&directory)?;
        }
        for number in layout::numbers(&directory) {
            if let Some(run) = Status::read_run(&directory, number) {
                run.of_a_copy().write_run(&layout::run_directory(&directory, number))?;
            }
        }
    }
    // `state` comes last, because it says that this is a copy.
    for name in [begun::FILE, groups::FILE, STATE_FILE] {
        match fs::remove_file(service.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => (),
        }
    }
    Ok(())
}
