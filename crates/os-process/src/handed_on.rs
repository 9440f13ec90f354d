//! The descriptors that a process keeps when it executes another program: stdin, and no other.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The first descriptor that is not stdin, stdout or stderr.
const FIRST: i32 = 3;

/// Our stdin, if it is the file or the directory at this path: the program that we were until now had it open, and what it held
/// by that, such as a lock, was never free meanwhile.
pub fn handed_on(path: &Path) -> Option<File> {
    let stdin = File::from(rustix::io::fcntl_dupfd_cloexec(io::stdin(), FIRST).ok()?);
    let (ours, there) = (stdin.metadata().ok()?, path.symlink_metadata().ok()?);
    ((ours.dev(), ours.ino()) == (there.dev(), there.ino())).then_some(stdin)
}
