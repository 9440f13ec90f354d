//! Tells when something was removed from the root's own directory, or the directory itself.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::inotify;

/// A descriptor that becomes readable when something is removed from the directory, or the directory itself.
pub(crate) fn watch(directory: &Path) -> io::Result<OwnedFd> {
    let inotify = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
    let flags = inotify::WatchFlags::DELETE
        | inotify::WatchFlags::MOVED_FROM
        | inotify::WatchFlags::DELETE_SELF
        | inotify::WatchFlags::MOVE_SELF;
    inotify::add_watch(&inotify, directory, flags)?;
    Ok(inotify)
}

/// Reads all events. Their content is not needed, because the caller looks at the directory itself.
pub(crate) fn drain(removals: &OwnedFd) {
    let mut buffer = [0; 4096];
    while matches!(rustix::io::read(removals, &mut buffer), Ok(length) if length > 0) {}
}
