//! Becoming somebody else, for good: what is to run in a user's directory runs as that user.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::geteuid;

use crate::account::Identity;

/// If root calls, this process becomes the owner of a directory, with the directory's group and those that the user is in.
/// Anybody else stays who they are. Call it while the process has one thread: each thread has a user of its own.
///
/// # Errors
/// The directory cannot be looked at, or the kernel refuses.
pub fn become_owner_of(directory: &Path) -> io::Result<()> {
    let owner = fs::metadata(directory)?;
    if !geteuid().is_root() || owner.uid() == 0 {
        return Ok(());
    }
    Identity::of_numbers(owner.uid(), owner.gid()).assume()
}
