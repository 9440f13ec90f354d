//! Syncs that several writes share.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::{Errno, retry_on_intr};

use crate::WriteError;

/// The files and directories that several writes leave to be synced. Each directory is synced once, however many names have changed in it.
///
/// Readers see each write at once. Until [`Syncs::finish`] has returned, a power failure may undo any of them. So a program that shares
/// syncs must have recorded durably how to write everything again, or be able to do without it.
#[derive(Clone, Debug, Default)]
pub struct Syncs {
    waiting: Arc<Mutex<Waiting>>,
    is_of_a_later_try: bool,
}

#[derive(Debug, Default)]
struct Waiting {
    files: Vec<(PathBuf, File)>,
    directories: BTreeMap<PathBuf, OwnedFd>,
}

impl Syncs {
    /// For a program that repeats the writes of a killed process that shared syncs: directories that exist already may not be durable, so
    /// they are synced too.
    pub fn of_a_later_try() -> Self {
        Self { is_of_a_later_try: true, ..Self::default() }
    }

    /// Whether existing directories are synced too.
    pub(crate) fn are_of_a_later_try(&self) -> bool {
        self.is_of_a_later_try
    }

    /// Waits until everything that was written is on the disk.
    pub fn finish(&self) -> Result<(), WriteError> {
        let Waiting { files, directories } = std::mem::take(&mut *self.waiting());
        for (path, file) in files {
            file.sync_all().map_err(|error| WriteError::new("sync", &path, error))?;
        }
        for (path, directory) in directories {
            retry_on_intr(|| rustix::fs::fsync(&directory))
                .map_err(|errno| WriteError::new("sync", &path, errno))?;
        }
        Ok(())
    }

    /// Adds a written file to those that are synced.
    pub(crate) fn add_file(&self, path: PathBuf, file: File) {
        self.waiting().files.push((path, file));
    }

    /// Adds a directory in which a name has changed to those that are synced.
    pub(crate) fn add_directory(&self, path: &Path, open: impl AsFd) -> Result<(), Errno> {
        let mut waiting = self.waiting();
        if !waiting.directories.contains_key(path) {
            waiting.directories.insert(path.to_owned(), rustix::io::fcntl_dupfd_cloexec(open, 0)?);
        }
        Ok(())
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_synced_once_and_nothing_twice() {
        let place = tempfile::tempdir().expect("a directory");
        let (syncs, path) = (Syncs::default(), place.path());
        for name in ["one", "two"] {
            let file = File::create(path.join(name)).expect("made");
            syncs.add_file(path.join(name), file);
            syncs.add_directory(path, File::open(path).expect("there")).expect("taken");
        }
        let count = |syncs: &Syncs| {
            let waiting = syncs.waiting();
            (waiting.files.len(), waiting.directories.len())
        };
        assert_eq!(count(&syncs.clone()), (2, 1));
        syncs.finish().expect("synced");
        assert_eq!(count(&syncs), (0, 0));
    }
}
