//! What a supervisor hands on to the program that it executes in its own place, so that neither is ever free or gone: the lock
//! of the service directory, and the socket on which it is asked. Both wait in a socket that becomes the stdin of the program. A
//! client that connects in between waits until the program accepts it.
//!
//! To another build, and from an earlier one, only the lock is handed on: it is the stdin itself.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use super::lock;

/// What this process was given by the program that it was before.
pub(super) struct HandedOn {
    pub(super) lock: File,
    pub(super) listener: Option<UnixListener>,
}

impl HandedOn {
    /// A lock that this process has taken itself.
    pub(super) fn only(lock: File) -> Self {
        Self { lock, listener: None }
    }

    /// Takes it out of stdin, which leads to /dev/null afterwards if a socket was given; `None` if stdin holds no lock of this
    /// service directory.
    pub(super) fn take(service: &Path) -> Option<Self> {
        if let Some(lock) = lock::handed_on(service) {
            return Some(Self::only(lock));
        }
        let mut fds = passed_fds::receive(io::stdin(), &mut [0]).ok()?.fds.into_iter();
        let lock = fds.next().map(File::from).filter(|lock| lock::is_of(lock, service))?;
        let _ = File::open("/dev/null").map(rustix::stdio::dup2_stdin);
        Some(Self { lock, listener: fds.next().map(UnixListener::from) })
    }
}

/// The stdin with which the next program finds them.
pub(super) fn hand_on(lock: &File, listener: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let (ours, theirs) = UnixStream::pair()?;
    passed_fds::send(&ours, b"+", &[lock.as_fd(), listener])?;
    Ok(theirs.into())
}
