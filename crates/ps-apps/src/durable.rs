//! Writes that are complete and durable, or did not happen; and reads of files that other programs write less carefully.
//!
//! A new file is written in `.stage/` beside its place. (Dokku ignores that directory: its listing and cloning skip
//! directories, and none of its globs matches the name.) There the file gets its owner and mode and is synced. Then it
//! changes places with the old file in one step, and the directory is synced. The old file is removed last: if the directory
//! cannot be synced, the two change places again and nothing has happened. Reads never follow a symlink at the last part of
//! the path, and never read more than [`MAX_BYTES`].

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use durable::ReadError;
use rustix::fs::{AtFlags, CWD, FileType, FlockOperation, Gid, Mode, OFlags, RenameFlags, Stat, Uid};
use rustix::io::{Errno, retry_on_intr};

use crate::Error;

/// The largest state file that is read, in bytes.
pub const MAX_BYTES: u64 = 1 << 20;

/// Where files are staged before they are published: in every directory that is written to.
pub const STAGE: &str = ".stage";
const LOCK: &str = "lock";
const SETTLE_TRIES: u32 = 5;
const SETTLE_PAUSE: Duration = Duration::from_millis(10);

/// The mode, owner and group that a file is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Permission bits, for example 0o600.
    pub mode: u32,
    /// Owner and group; `None`: those of this process.
    pub owner: Option<(u32, u32)>,
}

impl Access {
    /// `mode`, with the owner and group of `path`. If this process is not root, or `path` is not there, with its own.
    pub fn like(path: &Path, mode: u32) -> Self {
        let owner = if rustix::process::geteuid().is_root() {
            std::fs::metadata(path).ok().map(|metadata| (metadata.uid(), metadata.gid()))
        } else {
            None
        };
        Self { mode, owner }
    }
}

/// A directory whose files are being changed. While this value lives, no other program of Formation changes them.
///
/// It holds an flock on `.stage/lock`, which the kernel frees if the process dies. What a writer that died left in `.stage/`
/// is removed by the next writer.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    dir: OwnedFd,
    stage: OwnedFd,
    _lock: OwnedFd,
}

impl Directory {
    /// Opens `path` for changes and waits for other writers of ours. Missing directories below `base` are created,
    /// with the access of `base`; `base` itself must be there (what was destroyed is not made again).
    pub fn open(base: &Path, path: &Path) -> Result<Self, Error> {
        create_below(base, path)?;
        let fail = |source: Errno| Error::io("open", path, source);
        let dir = open_dir(path).map_err(fail)?;
        let stage_path = path.join(STAGE);
        let stage = open_stage(&dir, base, &stage_path)?;
        let lock = lock_stage(&stage).map_err(|errno| Error::io("lock", &stage_path, errno))?;
        chown(&stage, LOCK, Access::like(base, 0).owner).map_err(|e| Error::io("own", &stage_path, e))?;
        remove_stale(&stage, &stage_path)?;
        Ok(Self { path: path.to_owned(), dir, stage, _lock: lock })
    }

    /// Replaces the content of the file `name`. After an error the old file is as it was. If content, mode and owner are
    /// already as wanted, nothing is written, but the file is synced: whoever wrote it may not have waited for the disk.
    pub fn write(&self, name: &str, bytes: &[u8], access: Access) -> Result<(), Error> {
        if let Some(file) = self.same(name, bytes, access) {
            let synced = file.sync_all().and_then(|()| Ok(self.sync()?));
            return synced.map_err(|error| Error::io("write", &self.path.join(name), error));
        }
        self.write_in_turn(&[(name, bytes.to_vec())], access)
    }

    /// Replaces files in the order given, a file more than once if need be; each step is durable before the next.
    /// Everything is staged before the first step, and after an error all files are as they were.
    pub fn write_in_turn(&self, steps: &[(&str, Vec<u8>)], access: Access) -> Result<(), Error> {
        let staged: Vec<String> =
            (0..).zip(steps).map(|(turn, (name, _))| format!("{turn}.{name}")).collect();
        let done = self.stage_all(steps, &staged, access).and_then(|()| self.publish_all(steps, &staged));
        // The files that the steps replaced lie in the stage now. One that cannot be removed is removed by the next writer.
        for name in &staged {
            self.unstage(name);
        }
        done
    }

    /// Removes the file `name`; one that is not there is success. After an error it is still there.
    pub fn remove(&self, name: &str) -> Result<(), Error> {
        let fail = |errno: Errno| Error::io("remove", &self.path.join(name), errno);
        if self.find(name).map_err(fail)?.is_none() {
            return Ok(());
        }
        rustix::fs::renameat(&self.dir, name, &self.stage, name).map_err(fail)?;
        let synced = self.sync();
        if synced.is_err() {
            let _ = rustix::fs::renameat(&self.stage, name, &self.dir, name);
        }
        self.unstage(name);
        synced.map_err(fail)
    }

    /// Removes the directory again if it is empty: it was made for an app that was destroyed meanwhile.
    pub(crate) fn abandon(self) {
        let _ = rustix::fs::unlinkat(&self.stage, LOCK, AtFlags::empty());
        let _ = rustix::fs::unlinkat(&self.dir, STAGE, AtFlags::REMOVEDIR);
        let _ = rustix::fs::rmdir(&self.path);
    }

    /// The file `name`, open, if its content, mode and owner are already these.
    fn same(&self, name: &str, bytes: &[u8], access: Access) -> Option<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = File::from(rustix::fs::openat(&self.dir, name, flags, Mode::empty()).ok()?);
        let is = file.metadata().ok()?;
        let is_owned = access.owner.is_none_or(|owner| owner == (is.uid(), is.gid()));
        let is_alike = is.is_file() && is.len() == bytes.len() as u64 && is.mode() & 0o7777 == access.mode;
        let mut held = Vec::with_capacity(bytes.len());
        let read = (&file).take(is.len() + 1).read_to_end(&mut held);
        (is_owned && is_alike && read.is_ok() && held == bytes).then_some(file)
    }

    fn stage_all(&self, steps: &[(&str, Vec<u8>)], staged: &[String], access: Access) -> Result<(), Error> {
        steps.iter().zip(staged).try_for_each(|((name, bytes), staged)| {
            self.stage_file(staged, bytes, access).map_err(|e| Error::io("write", &self.path.join(name), e))
        })
    }

    fn stage_file(&self, staged: &str, bytes: &[u8], access: Access) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.stage, staged, flags, Mode::from_raw_mode(0o600))?;
        fill(File::from(file), bytes, access)
    }

    fn publish_all(&self, steps: &[(&str, Vec<u8>)], staged: &[String]) -> Result<(), Error> {
        let mut published = Vec::new();
        for ((name, _), staged) in steps.iter().zip(staged) {
            let fail = |errno: Errno| Error::io("write", &self.path.join(name), errno);
            let synced = self.publish(name, staged).and_then(|replaced| {
                published.push((*name, staged, replaced));
                self.sync()
            });
            if let Err(errno) = synced {
                published
                    .iter()
                    .rev()
                    .for_each(|(name, staged, replaced)| self.take_back(name, staged, *replaced));
                let _ = self.sync();
                return Err(fail(errno));
            }
        }
        Ok(())
    }

    /// Moves a staged file to its place, and the file that was there into the stage, so that the step can be undone.
    fn publish(&self, name: &str, staged: &str) -> Result<Replaced, Errno> {
        let rename = || rustix::fs::renameat(&self.stage, staged, &self.dir, name);
        if self.find(name)?.is_none() {
            return rename().map(|()| Replaced::Nothing);
        }
        match self.exchange(staged, name) {
            // Not every file system can exchange two files in one step.
            Err(Errno::INVAL | Errno::NOSYS) => rename().map(|()| Replaced::Gone),
            exchanged => exchanged.map(|()| Replaced::Staged),
        }
    }

    fn exchange(&self, staged: &str, name: &str) -> Result<(), Errno> {
        rustix::fs::renameat_with(&self.stage, staged, &self.dir, name, RenameFlags::EXCHANGE)
    }

    fn take_back(&self, name: &str, staged: &str, replaced: Replaced) {
        // If undoing fails as well, the new file stays. It is complete, and the caller gets the error that led here.
        let _ = match replaced {
            Replaced::Nothing => rustix::fs::unlinkat(&self.dir, name, AtFlags::empty()),
            Replaced::Staged => self
                .exchange(staged, name)
                .or_else(|_| rustix::fs::renameat(&self.stage, staged, &self.dir, name)),
            Replaced::Gone => Ok(()),
        };
    }

    /// Whether something lies at `name`, and what. A directory there is an error, because no value is kept in one.
    fn find(&self, name: &str) -> Result<Option<Stat>, Errno> {
        match rustix::fs::statat(&self.dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode).is_dir() => Err(Errno::ISDIR),
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    fn unstage(&self, name: &str) {
        let _ = rustix::fs::unlinkat(&self.stage, name, AtFlags::empty());
    }

    fn sync(&self) -> Result<(), Errno> {
        retry_on_intr(|| rustix::fs::fsync(&self.dir))
    }
}

/// What lay at the place of a file before it was published.
#[derive(Clone, Copy)]
enum Replaced {
    Nothing,
    Staged,
    Gone,
}

/// Reads a whole file: `None` if there is none. With `settle`, a file that is empty is read again for up to 50 ms before the
/// caller is told so, because Dokku truncates a file first and writes it afterwards.
pub fn read(path: &Path, settle: bool) -> Result<Option<Vec<u8>>, Error> {
    for _ in 0..SETTLE_TRIES {
        match read_once(path)? {
            Some(bytes) if bytes.is_empty() && settle => thread::sleep(SETTLE_PAUSE),
            settled => return Ok(settled),
        }
    }
    read_once(path)
}

/// As [`read`], as text.
pub fn read_text(path: &Path, settle: bool) -> Result<Option<String>, Error> {
    let Some(bytes) = read(path, settle)? else { return Ok(None) };
    String::from_utf8(bytes).map(Some).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.split(|b| *b == b'\n').count();
        Error::Corrupt { path: path.to_owned(), line: Some(line), reason: "not UTF-8: write it again".into() }
    })
}

/// Creates a root and the directories above it where there is none yet.
pub(crate) fn create_root(root: &Path) -> Result<(), Error> {
    match std::fs::metadata(root) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            std::fs::create_dir_all(root).map_err(|error| Error::io("create", root, error))
        }
        Err(error) => Err(Error::io("read", root, error)),
    }
}

/// A file as it is now, so that one can ask later whether it was replaced.
pub(crate) struct Pin {
    path: PathBuf,
    /// Kept open, so that no other file can get the same inode number meanwhile.
    file: Option<(OwnedFd, Stat)>,
}

impl Pin {
    pub(crate) fn of(path: &Path) -> Result<Self, Error> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || {
            rustix::fs::open(path, flags, Mode::empty())
                .and_then(|fd| rustix::fs::fstat(&fd).map(|stat| (fd, stat)))
        };
        let file = absent(open()).map_err(|errno| Error::io("read", path, errno))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Whether the file at the path is still the same, or is still missing.
    pub(crate) fn holds(&self) -> Result<bool, Error> {
        let now =
            absent(rustix::fs::lstat(&self.path)).map_err(|errno| Error::io("read", &self.path, errno))?;
        let identity = |stat: &Stat| (stat.st_dev, stat.st_ino);
        Ok(now.as_ref().map(identity) == self.file.as_ref().map(|(_, stat)| identity(stat)))
    }
}

/// Creates the directories between `base` and `path`, each 0755 and owned like `base`, which must be there.
pub fn create_below(base: &Path, path: &Path) -> Result<(), Error> {
    let owner = Access::like(base, 0o755).owner;
    let below = path.strip_prefix(base).unwrap_or(Path::new(""));
    let mut current = base.to_owned();
    for part in below.components() {
        current.push(part);
        match rustix::fs::mkdirat(CWD, &current, Mode::from_raw_mode(0o755)) {
            Ok(()) => {
                settle_directory(&current, owner).map_err(|errno| Error::io("create", &current, errno))?;
            }
            Err(Errno::EXIST) => (),
            Err(errno) => return Err(Error::io("create", &current, errno)),
        }
    }
    Ok(())
}

/// Gives a new directory its owner and makes its name durable, or removes it.
fn settle_directory(path: &Path, owner: Option<(u32, u32)>) -> Result<(), Errno> {
    let sync_parent = || {
        let parent = open_dir(path.parent().unwrap_or(path))?;
        retry_on_intr(|| rustix::fs::fsync(&parent))
    };
    let settled = chown(CWD, path, owner).and_then(|()| sync_parent());
    if settled.is_err() {
        let _ = rustix::fs::rmdir(path);
    }
    settled
}

fn absent<T>(result: Result<T, Errno>) -> Result<Option<T>, Errno> {
    match result {
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        other => other.map(Some),
    }
}

fn read_once(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match durable::state(path, MAX_BYTES) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(ReadError::Missing) => Ok(None),
        Err(ReadError::Io(error)) => Err(Error::io("read", path, error)),
        Err(error @ ReadError::TooLarge(_)) => Err(corrupt(
            path,
            &format!("{error}: nobody wrote that on purpose; remove it and write the value again"),
        )),
        Err(error) => Err(corrupt(path, &format!("{error}: remove it and write the value again"))),
    }
}

fn corrupt(path: &Path, reason: &str) -> Error {
    Error::Corrupt { path: path.to_owned(), line: None, reason: reason.to_owned() }
}

fn fill(mut file: File, bytes: &[u8], access: Access) -> io::Result<()> {
    file.write_all(bytes)?;
    if file.metadata()?.len() != bytes.len() as u64 {
        return Err(io::Error::new(io::ErrorKind::WriteZero, "the file system kept less than was written"));
    }
    if let Some((uid, gid)) = access.owner {
        rustix::fs::fchown(&file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
    }
    rustix::fs::fchmod(&file, Mode::from_raw_mode(access.mode))?;
    file.sync_all()
}

fn open_dir(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
}

/// The stage of the directory `path`, open; `None` if the directory is not there.
pub(crate) fn stage_of(base: &Path, path: &Path) -> Result<Option<OwnedFd>, Error> {
    let dir = absent(open_dir(path)).map_err(|errno| Error::io("open", path, errno))?;
    let Some(dir) = dir else { return Ok(None) };
    match open_stage(&dir, base, &path.join(STAGE)) {
        // The directory was removed between the two opens.
        Err(Error::Io { reason, .. }) if reason.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

fn open_stage(dir: &OwnedFd, base: &Path, path: &Path) -> Result<OwnedFd, Error> {
    match rustix::fs::mkdirat(dir, STAGE, Mode::from_raw_mode(0o700)) {
        Ok(()) => {
            chown(dir, STAGE, Access::like(base, 0).owner).map_err(|e| Error::io("own", path, e))?;
        }
        Err(Errno::EXIST) => (),
        Err(errno) => return Err(Error::io("create", path, errno)),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(dir, STAGE, flags, Mode::empty()).map_err(|errno| Error::io("open", path, errno))
}

fn lock_stage(stage: &OwnedFd) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let lock = rustix::fs::openat(stage, LOCK, flags, Mode::from_raw_mode(0o600))?;
    retry_on_intr(|| rustix::fs::flock(&lock, FlockOperation::LockExclusive))?;
    Ok(lock)
}

fn remove_stale(stage: &OwnedFd, path: &Path) -> Result<(), Error> {
    let entries = rustix::fs::Dir::read_from(stage).map_err(|errno| Error::io("read", path, errno))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        if !matches!(name.to_bytes(), b"." | b".." | b"lock") {
            let _ = rustix::fs::unlinkat(stage, name, AtFlags::empty());
        }
    }
    Ok(())
}

fn chown(dir: impl AsFd, name: impl rustix::path::Arg, owner: Option<(u32, u32)>) -> Result<(), Errno> {
    let Some((uid, gid)) = owner else { return Ok(()) };
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    rustix::fs::chownat(dir, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
}
