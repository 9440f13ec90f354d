//! Changes the user of this process for good: processes for a user's directory run as that user.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::geteuid;

use crate::account::Identity;

/// If this process is root, it becomes the owner of a directory, with the directory's group and the owner's other groups. A
/// process of another user is not changed. Must be called while the process has one thread, since each thread has a user of
/// its own.
///
/// # Errors
/// The directory cannot be examined, or the kernel refuses.
pub fn become_owner_of(directory: &Path) -> io::Result<()> {
    let owner = fs::metadata(directory)?;
    if !geteuid().is_root() || owner.uid() == 0 {
        return Ok(());
    }
    Identity::of_numbers(owner.uid(), owner.gid()).assume()
}
