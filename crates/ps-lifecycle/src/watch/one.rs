//! One `watch` per `DOKKU_LIB_ROOT`. The kernel releases the lock when its holder dies.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use anyhow::{Context, Result};
use ps_apps::World;
use ps_cli::exit::{self, Refusal};
use rustix::fs::{FlockOperation, flock};

/// The path of the lock file. The files of apps are in the same directory, and no app can have this name.
fn path(world: &World) -> PathBuf {
    world.lib().join("data/formation/.watch")
}

/// Takes the lock, and writes our pid into the file.
pub(super) fn lock(world: &World) -> Result<File> {
    let path = path(world);
    let parent = path.parent().expect("a file lies in a directory");
    fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
    let lock = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let mut lock = lock.with_context(|| format!("open {}", path.display()))?;
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        let holder = fs::read_to_string(&path).unwrap_or_default();
        let holder =
            holder.trim().parse::<u32>().map(|pid| format!(", by process {pid}")).unwrap_or_default();
        let message = format!("the containers of {} are watched already{holder}", world.root().display());
        return Err(Refusal { status: exit::BUSY, message }.into());
    }
    // The number is used only in messages: if it cannot be written, they lack it.
    let _ = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
    Ok(lock)
}

/// Whether a watch is running.
pub(super) fn is_running(world: &World) -> bool {
    let Ok(lock) = File::open(path(world)) else { return false };
    flock(&lock, FlockOperation::NonBlockingLockShared).is_err()
}
