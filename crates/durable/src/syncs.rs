//! Syncs that several writes share.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::{Errno, retry_on_intr};

use crate::WriteError;

/// What several writes leave to be synced: each file, and each directory once, however many names have changed in it.
///
/// Readers see each write at once. Until [`Syncs::finish`] has returned, a power failure may undo any of them. So whoever
/// shares syncs has recorded durably how to write everything again, or can do without all of it.
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
    /// For who writes again what a killed process may have written with shared syncs: a directory that is there already may not be durable.
    pub fn of_a_later_try() -> Self {
        Self { is_of_a_later_try: true, ..Self::default() }
    }

    /// Whether directories that are there already are synced too.
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

    /// Has a file synced that was written.
    pub(crate) fn add_file(&self, path: PathBuf, file: File) {
        self.waiting().files.push((path, file));
    }

    /// Has a directory synced in which a name has changed.
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
