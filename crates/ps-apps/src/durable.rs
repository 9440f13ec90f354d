//! Writes that are complete and durable, or did not happen; reads that expect less of others.
//!
//! A file is written in `.stage/` beside its place (Dokku's listing and cloning skip directories, and no glob of
//! Dokku's matches it), gets owner and mode there, is synced, renamed, and its directory synced. Reads never follow a
//! symlink at the last step and never read more than [`MAX_BYTES`].

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, FlockOperation, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use crate::Error;

/// The largest state file that is read, in bytes.
pub const MAX_BYTES: u64 = 1 << 20;

const STAGE: &str = ".stage";
const LOCK: &str = "lock";
const SETTLE_TRIES: u32 = 5;
const SETTLE_PAUSE: Duration = Duration::from_millis(10);

/// Who may read a file, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Permission bits, for example 0o600.
    pub mode: u32,
    /// Owner and group; `None`: whoever we are.
    pub owner: Option<(u32, u32)>,
}

impl Access {
    /// `mode`, and the owner and group of `path` where we are root; ours otherwise, or if `path` is not there.
    pub fn like(path: &Path, mode: u32) -> Self {
        let owner = if rustix::process::geteuid().is_root() {
            std::fs::metadata(path).ok().map(|metadata| (metadata.uid(), metadata.gid()))
        } else {
            None
        };
        Self { mode, owner }
    }
}

/// A directory whose files are being changed: nobody of ours changes them meanwhile.
///
/// It holds an flock on `.stage/lock`, which the kernel frees if we die. What a dead writer left in `.stage/` is
/// removed when the next one comes.
#[derive(Debug)]
pub struct Directory {
    path: std::path::PathBuf,
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
        match rustix::fs::mkdirat(&dir, STAGE, Mode::from_raw_mode(0o700)) {
            Ok(()) => chown(&dir, STAGE, Access::like(base, 0).owner)
                .map_err(|e| Error::io("own", &stage_path, e))?,
            Err(Errno::EXIST) => (),
            Err(errno) => return Err(Error::io("create", &stage_path, errno)),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let stage = rustix::fs::openat(&dir, STAGE, flags, Mode::empty())
            .map_err(|errno| Error::io("open", &stage_path, errno))?;
        let lock = lock_stage(&stage).map_err(|errno| Error::io("lock", &stage_path, errno))?;
        chown(&stage, LOCK, Access::like(base, 0).owner).map_err(|e| Error::io("own", &stage_path, e))?;
        remove_stale(&stage, &stage_path)?;
        Ok(Self { path: path.to_owned(), dir, stage, _lock: lock })
    }

    /// Replaces the file `name` by `bytes`. After an error the old file is as it was.
    pub fn write(&self, name: &str, bytes: &[u8], access: Access) -> Result<(), Error> {
        let path = self.path.join(name);
        self.stage_file(name, bytes, access).map_err(|source| Error::io("write", &path, source))?;
        let renamed = rustix::fs::renameat(&self.stage, name, &self.dir, name);
        if let Err(errno) = renamed {
            let _ = rustix::fs::unlinkat(&self.stage, name, AtFlags::empty());
            return Err(Error::io("write", &path, errno));
        }
        self.sync()
    }

    /// Removes the file `name`; one that is not there is success.
    pub fn remove(&self, name: &str) -> Result<(), Error> {
        match rustix::fs::unlinkat(&self.dir, name, AtFlags::empty()) {
            Ok(()) => self.sync(),
            Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(Error::io("remove", &self.path.join(name), errno)),
        }
    }

    fn stage_file(&self, name: &str, bytes: &[u8], access: Access) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.stage, name, flags, Mode::from_raw_mode(0o600))?;
        let written = fill(File::from(file), bytes, access);
        if written.is_err() {
            // The old file still stands; what is left here goes with the next writer at the latest.
            let _ = rustix::fs::unlinkat(&self.stage, name, AtFlags::empty());
        }
        written
    }

    fn sync(&self) -> Result<(), Error> {
        rustix::fs::fsync(&self.dir).map_err(|errno| Error::io("sync", &self.path, errno))
    }
}

/// Reads a file whole: `None` if there is none. With `settle`, an empty file is read again for up to 50 ms before
/// it is believed, because Dokku's writers truncate in place.
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

/// Creates the directories between `base` and `path`, each 0755 and owned like `base`, which must be there.
pub fn create_below(base: &Path, path: &Path) -> Result<(), Error> {
    let owner = Access::like(base, 0o755).owner;
    let below = path.strip_prefix(base).unwrap_or(Path::new(""));
    let mut current = base.to_owned();
    for part in below.components() {
        current.push(part);
        match rustix::fs::mkdirat(CWD, &current, Mode::from_raw_mode(0o755)) {
            Ok(()) => chown(CWD, &current, owner).map_err(|errno| Error::io("own", &current, errno))?,
            Err(Errno::EXIST) => (),
            Err(errno) => return Err(Error::io("create", &current, errno)),
        }
    }
    Ok(())
}

fn read_once(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(fd) => File::from(fd),
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP) => {
            return Err(corrupt(path, "is a symbolic link: remove it and write the value again"));
        }
        Err(errno) => return Err(Error::io("read", path, errno)),
    };
    let metadata = file.metadata().map_err(|source| Error::io("read", path, source))?;
    if !metadata.is_file() {
        return Err(corrupt(path, "is not a file: remove it and write the value again"));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len().min(MAX_BYTES)).unwrap_or(0) + 1);
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|source| Error::io("read", path, source))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(corrupt(
            path,
            "is over 1 MiB: nobody wrote that on purpose; remove it and write the value again",
        ));
    }
    Ok(Some(bytes))
}

fn corrupt(path: &Path, reason: &str) -> Error {
    Error::Corrupt { path: path.to_owned(), line: None, reason: reason.to_owned() }
}

fn fill(mut file: File, bytes: &[u8], access: Access) -> io::Result<()> {
    file.write_all(bytes)?;
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

fn lock_stage(stage: &OwnedFd) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let lock = rustix::fs::openat(stage, LOCK, flags, Mode::from_raw_mode(0o600))?;
    loop {
        match rustix::fs::flock(&lock, FlockOperation::LockExclusive) {
            Ok(()) => return Ok(lock),
            Err(Errno::INTR) => (),
            Err(errno) => return Err(errno),
        }
    }
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
