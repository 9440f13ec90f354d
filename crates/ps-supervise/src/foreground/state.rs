//! The files that a foreground keeps on disk: which processes run, without their environment. They are in a directory
//! in the user's runtime directory that only the user can read, which is removed at the end. The next start cleans up
//! after a crash.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use formation::Slot;
use ps_supervisor::{Spec, Status};
use rustix::fs::FlockOperation;

use super::guard;
use super::home::{self, Home, PREFIX};
use super::owner;
use super::printer::Printer;

/// Locked by the supervisor: if the file can be locked, the supervisor is dead.
const LOCK_FILE: &str = "lock";

/// The state directory of one foreground. It exists until [`State::remove`]: if a foreground fails, its guard still needs
/// it.
#[derive(Debug)]
pub(crate) struct State {
    directory: PathBuf,
    /// Keeps other foregrounds from looking for dead ones while our own lock is not held yet.
    home: Option<Home>,
}

impl State {
    /// Makes the directory, after cleaning up what dead foregrounds left.
    pub(crate) fn make(spec: &Spec, printer: &mut Printer) -> Result<Self> {
        let home = Home::open()?;
        for state in home.states() {
            clean(&state, &spec.directory, printer);
        }
        let directory = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(home.path());
        let directory =
            directory.with_context(|| format!("make a directory in {}", home.path().display()))?.keep();
        owner::write(&directory, &spec.directory)?;
        Ok(Self { directory, home: Some(home) })
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        &self.directory
    }

    /// Lets other foregrounds start: our supervisor holds its lock now, or has failed.
    pub(crate) fn open_home(&mut self) {
        self.home = None;
    }

    /// Removes the directory when nothing runs any more.
    pub(crate) fn remove(self) {
        // A directory that cannot be removed is cleaned up at the next start.
        let _ = owner::remove(&self.directory);
    }
}

/// Cleans up after a dead foreground. Its processes are ended if they run from our source directory; those of another
/// directory are left to the next foreground there.
fn clean(state: &Path, ours: &Path, printer: &mut Printer) {
    let owner = owner::read(state);
    let is_ours = owner.as_ref().is_some_and(|(_, source)| source == ours);
    let is_alone = owner.as_ref().is_some_and(|(pid, _)| !Path::new("/proc").join(pid).exists());
    if !is_dead(state, is_alone) {
        if is_ours && is_alone {
            // Its guard is ending its processes; afterwards our ports are free.
            wait_for(state);
        } else if let Some((pid, source)) = owner.filter(|(_, source)| source == ours) {
            let source = source.display();
            printer.say(None, &format!("another ps-supervise (pid {pid}) runs {source} too: both keep running, and a port in use is reported"));
        }
        return;
    }
    if is_ours {
        guard::sweep(state);
    } else if !has_processes(state) {
        let _ = fs::remove_dir_all(state);
    }
}

/// Whether the foreground of a state directory is dead. `is_alone`: its process is known to be gone.
fn is_dead(state: &Path, is_alone: bool) -> bool {
    let Ok(lock) = File::open(state.join(LOCK_FILE)) else {
        // A foreground that is just starting has no lock file yet.
        let made = fs::metadata(state).and_then(|made| made.modified()).ok();
        let is_old = made.and_then(|made| made.elapsed().ok()).is_some_and(|age| age > home::PATIENCE);
        return is_alone || is_old;
    };
    rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok()
}

/// Waits until the lock of a state directory is free.
fn wait_for(state: &Path) {
    if let Ok(lock) = File::open(state.join(LOCK_FILE)) {
        home::has_locked(&lock);
    }
}

fn has_processes(state: &Path) -> bool {
    let entries = fs::read_dir(state).into_iter().flatten().flatten();
    let slots = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<Slot>().ok());
    let status = |slot: Slot| Status::read(&state.join(slot.to_string())).ok().flatten()?.process;
    slots.filter_map(status).any(|process| process.is_alive())
}
