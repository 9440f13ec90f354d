//! The descriptors that a process keeps when it executes another program: stdin, and no other.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The first descriptor that is not stdin, stdout or stderr.
const FIRST: i32 = 3;

/// The stdin of this process, if it is the file or directory at this path. The program that this process executed before had it
/// open, so that a lock on it was held without interruption.
pub fn handed_on(path: &Path) -> Option<File> {
    let stdin = File::from(rustix::io::fcntl_dupfd_cloexec(io::stdin(), FIRST).ok()?);
    let (ours, there) = (stdin.metadata().ok()?, path.symlink_metadata().ok()?);
    ((ours.dev(), ours.ino()) == (there.dev(), there.ino())).then_some(stdin)
}
