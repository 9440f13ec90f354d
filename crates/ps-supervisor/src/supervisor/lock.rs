//! The lock that the one supervisor of a service directory holds.

use std::fs::{File, Metadata, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use crate::Error;

/// The file of a service directory that is locked by its supervisor.
const LOCK_FILE: &str = "lock";
/// How long another process that only tests the lock may keep a supervisor from taking it.
const OTHERS_LOOK: Duration = Duration::from_millis(200);
const AGAIN: Duration = Duration::from_millis(5);

/// The lock, if it is the stdin that this process was given by the program that it was before.
pub(super) fn handed_on(service: &Path) -> Option<File> {
    os_process::handed_on(&service.join(LOCK_FILE))
}

/// Whether an open file is the lock of this service directory.
pub(super) fn is_of(lock: &File, service: &Path) -> bool {
    let there = service.join(LOCK_FILE).symlink_metadata();
    let is_same = |ours: Metadata, there: Metadata| (ours.dev(), ours.ino()) == (there.dev(), there.ino());
    lock.metadata().is_ok_and(|ours| there.is_ok_and(|there| is_same(ours, there)))
}

/// Takes the lock of a service directory.
///
/// # Errors
/// Another supervisor holds it, or it cannot be opened.
pub(super) fn take(service: &Path) -> Result<File, Error> {
    let path = service.join(LOCK_FILE);
    let open = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let lock = open.map_err(|error| Error::io("open", &path, error))?;
    // A process that only tests whether a supervisor lives holds the lock for a moment. That is no other supervisor yet.
    let until = Instant::now() + OTHERS_LOOK;
    loop {
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(lock),
            Err(Errno::WOULDBLOCK) if Instant::now() < until => thread::sleep(AGAIN),
            Err(Errno::WOULDBLOCK) => return Err(Error::AlreadySupervised { service: service.to_owned() }),
            Err(errno) => return Err(Error::io("lock", &path, errno)),
        }
    }
}
