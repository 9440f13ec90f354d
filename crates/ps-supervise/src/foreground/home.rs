//! The directory that contains the state directories of all foregrounds of one user, with access for that user alone. It is
//! made by the first foreground that starts and removed by the last one that exits.

use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use durable::is_at;
use rustix::fs::FlockOperation;
use rustix::io::Errno;

/// The prefix of state directories.
pub(crate) const PREFIX: &str = "run-";
/// How long another foreground may take to start, including the end of a dead one's processes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

const NAME: &str = "ps-supervise";
/// Locked by a starting foreground while it looks for dead ones, until its own lock is held.
const LOCK_FILE: &str = "start.lock";
const PAUSE: Duration = Duration::from_millis(50);
/// How many times the directory may be removed by an exiting foreground while we start.
const TRIES: usize = 10;

/// The directory, and the lock that permits to clean up in it.
#[derive(Debug)]
pub(crate) struct Home {
    path: PathBuf,
    /// `None` if another foreground has held the lock for too long.
    lock: Option<File>,
}

impl Home {
    /// Makes the directory, if necessary, and waits for a foreground that is starting.
    pub(crate) fn open() -> Result<Self> {
        for _ in 0..TRIES {
            let path = place()?;
            let lock_path = path.join(LOCK_FILE);
            let open =
                OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&lock_path);
            let lock = match open {
                // The last foreground has just removed the directory.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                open => open.with_context(|| format!("open {}", lock_path.display()))?,
            };
            if !has_locked(&lock) {
                return Ok(Self { path, lock: None });
            }
            if is_at(&lock, &lock_path) {
                return Ok(Self { path, lock: Some(lock) });
            }
        }
        bail!("the directory of foregrounds is removed as often as it is made: try again")
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The state directories of other foregrounds; none without the lock.
    pub(crate) fn states(&self) -> Vec<PathBuf> {
        let entries = self.lock.as_ref().and_then(|_| fs::read_dir(&self.path).ok());
        let entries = entries.into_iter().flatten().flatten();
        let states = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
        states.map(|entry| entry.path()).collect()
    }
}

/// Removes the directory if no foreground uses it and none is starting.
pub(crate) fn leave(home: &Path) {
    let path = home.join(LOCK_FILE);
    let Ok(lock) = File::open(&path) else { return };
    let is_ours = rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok();
    let is_lock = |entry: fs::DirEntry| entry.file_name() == LOCK_FILE;
    if is_ours
        && is_at(&lock, &path)
        && fs::read_dir(home).is_ok_and(|entries| entries.flatten().all(is_lock))
    {
        let _ = fs::remove_file(&path).and_then(|()| fs::remove_dir(home));
    }
}

/// Takes a lock, waiting for it for a limited time; false if it was not free in time.
pub(crate) fn has_locked(file: &File) -> bool {
    let mut waited = Duration::ZERO;
    while waited < PATIENCE {
        match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return true,
            Err(Errno::WOULDBLOCK | Errno::INTR) => thread::sleep(PAUSE),
            Err(_) => return false,
        }
        waited += PAUSE;
    }
    false
}

/// The path: in `$XDG_RUNTIME_DIR`, else in /run (root) or /run/user, else in the directory of temporary files. A directory
/// that another user could write to is refused.
fn place() -> Result<PathBuf> {
    let user = rustix::process::geteuid();
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    let of_system = if user.is_root() { "/run".to_owned() } else { format!("/run/user/{}", user.as_raw()) };
    for parent in runtime.into_iter().chain([of_system.into()]).filter(|parent| is_private(parent, 0o022)) {
        let home = parent.join(NAME);
        if make(&home).is_ok() && is_private(&home, 0o077) {
            return Ok(home);
        }
    }
    let home = env::temp_dir().join(format!("{NAME}-{}", user.as_raw()));
    make(&home).with_context(|| format!("create {}", home.display()))?;
    if !is_private(&home, 0o077) {
        let home = home.display();
        bail!("{home} is not ours alone: remove it, or set XDG_RUNTIME_DIR to a directory that is");
    }
    Ok(home)
}

fn make(home: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(home) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Whether the path is a directory of this user, not a symlink, without these permissions for others.
fn is_private(directory: &Path, forbidden: u32) -> bool {
    let user = rustix::process::geteuid().as_raw();
    fs::symlink_metadata(directory)
        .is_ok_and(|found| found.is_dir() && found.uid() == user && found.mode() & forbidden == 0)
}
