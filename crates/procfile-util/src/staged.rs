//! A staged file, which is written beside the target and then renamed. There is one name per target, and the writer
//! holds an flock on the file as long as it lives. By the lock the next writer distinguishes a file that a killed
//! writer left, which it removes, from one that another writer is using, for which it waits.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FlockOperation, OFlags, RenameFlags};
use rustix::io::Errno;

/// How long to wait for another writer of the same file.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(5);
/// How many bytes of the target's name are used, so that the name of the staged file does not become too long.
const MAX_NAME_BYTES: usize = 200;

/// A staged file. It is removed when it is dropped; after an exchange the removed file is the old one.
#[derive(Debug)]
pub(crate) struct Staged {
    file: File,
    replaced: Option<File>,
    path: PathBuf,
    target: PathBuf,
}

impl Staged {
    /// Creates an empty file beside the target. The mode is the one before the umask.
    pub(crate) fn beside(target: &Path, mode: u32) -> io::Result<Self> {
        let path = place_beside(target);
        let deadline = Instant::now() + PATIENCE;
        loop {
            match OpenOptions::new().write(true).create_new(true).mode(mode).open(&path) {
                Ok(file) => {
                    let (path, target) = (path.clone(), target.to_owned());
                    let staged = Self { file, replaced: None, path, target };
                    if staged.is_held()? {
                        return Ok(staged);
                    }
                    std::mem::forget(staged);
                }
                Err(there) if there.kind() == io::ErrorKind::AlreadyExists => remove_if_dead(&path)?,
                Err(why) => return Err(why),
            }
            if Instant::now() > deadline {
                return Err(Errno::BUSY.into());
            }
            thread::sleep(PAUSE);
        }
    }

    /// The open file, so that the caller can set its mode and owner.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Writes all of the bytes and syncs them. Then the length of the file is checked, in case a file system lost
    /// bytes without an error.
    pub(crate) fn fill(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.file.sync_all()?;
        let is_whole = self.file.metadata()?.len() == bytes.len() as u64;
        if is_whole { Ok(()) } else { Err(Errno::IO.into()) }
    }

    /// Takes the place of the target, which must exist and be open. After an error the target is unchanged.
    pub(crate) fn replace(mut self, target: File) -> io::Result<()> {
        // After the exchange the old file has the staged name. Our lock on it tells other writers that it was not
        // left by a killed one.
        let _ = lock(&target);
        self.replaced = Some(target);
        match self.exchange() {
            // Not every file system can exchange two names.
            Err(Errno::INVAL | Errno::NOSYS) => {
                fs::rename(&self.path, &self.target)?;
                self.sync_directory()
            }
            Err(why) => Err(why.into()),
            Ok(()) => self.sync_directory().inspect_err(|_| {
                // The first error is the one that is reported.
                let _ = self.exchange().or_else(|_| rustix::fs::rename(&self.path, &self.target));
                let _ = self.sync_directory();
            }),
        }
    }

    /// Takes the place of the target, which must not exist. After an error it still does not.
    pub(crate) fn place(&self) -> io::Result<()> {
        match rustix::fs::renameat_with(CWD, &self.path, CWD, &self.target, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS) => fs::hard_link(&self.path, &self.target)?,
            placed => placed?,
        }
        self.sync_directory().inspect_err(|_| {
            let _ = fs::remove_file(&self.target);
        })
    }

    fn exchange(&self) -> Result<(), Errno> {
        rustix::fs::renameat_with(CWD, &self.path, CWD, &self.target, RenameFlags::EXCHANGE)
    }

    fn sync_directory(&self) -> io::Result<()> {
        File::open(directory_of(&self.target))?.sync_all()
    }

    /// Whether we hold the lock and the name still leads to our file. Between creating and locking the file, another
    /// writer may have taken it for one that a killed writer left, and removed it.
    fn is_held(&self) -> io::Result<bool> {
        Ok(lock(&self.file)? && is_at(&self.file, &self.path)?)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        let ours = |file: &File| is_at(file, &self.path).unwrap_or(true);
        if ours(&self.file) || self.replaced.as_ref().is_some_and(ours) {
            // If the file cannot be removed now, the next writer does it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes what a killed writer of the target left, if that is possible. It is called when there is nothing to write.
pub(crate) fn tidy(target: &Path) {
    // Nobody needs that file, so a failure to remove it is no error.
    let _ = remove_if_dead(&place_beside(target));
}

/// The directory that holds a file.
pub(crate) fn directory_of(target: &Path) -> &Path {
    target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn place_beside(target: &Path) -> PathBuf {
    let name = target.file_name().unwrap_or_default().as_bytes();
    let kept = OsStr::from_bytes(&name[..name.len().min(MAX_NAME_BYTES)]);
    let staged: OsString = [OsStr::new("."), kept, OsStr::new(".procfile-util")].into_iter().collect();
    directory_of(target).join(staged)
}

/// Removes a staged file that no living writer has locked.
fn remove_if_dead(path: &Path) -> io::Result<()> {
    let careful = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let flags = i32::try_from(careful).unwrap_or_default();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let is_dead = lock(&file)?;
    if is_dead && is_at(&file, path)? { fs::remove_file(path) } else { Ok(()) }
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let identity = |about: fs::Metadata| (about.dev(), about.ino());
    match fs::symlink_metadata(path) {
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(false),
        there => Ok(identity(there?) == identity(file.metadata()?)),
    }
}

/// Tries to take the lock. On a file system without locks it always succeeds.
fn lock(file: &File) -> io::Result<bool> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) | Err(Errno::NOLCK | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(why) => Err(why.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_writer_left_is_removed_and_what_a_living_one_fills_is_waited_for() {
        let world = tempfile::tempdir().expect("a directory");
        let target = world.path().join("Procfile");
        fs::write(place_beside(&target), "half").expect("a file");
        let living = Staged::beside(&target, 0o600).expect("the dead one's name is free");
        thread::scope(|scope| {
            let next = scope.spawn(|| Staged::beside(&target, 0o600).map(drop));
            thread::sleep(PAUSE * 4);
            assert!(!next.is_finished(), "two writers at once");
            drop(living);
            next.join().expect("no panic").expect("the name is free");
        });
        assert_eq!(fs::read_dir(world.path()).expect("a directory").count(), 0);
    }

    #[test]
    fn a_long_name_is_cut() {
        let path = place_beside(&Path::new("d").join("é".repeat(127)));
        assert!(path.file_name().expect("a name").len() < 255);
        assert_eq!(place_beside(Path::new("Procfile")), Path::new("./.Procfile.procfile-util"));
    }
}
