//! Writes that are complete and durable, or did not happen.
//!
//! A new file is written in `.stage/` beside its place. (Dokku ignores that directory: its listing and cloning skip
//! directories, and none of its globs matches the name.) There the file gets its owner and mode and is synced. Then it
//! changes places with the old file in one step, and the directory is synced. The old file is removed last: if the directory
//! cannot be synced, the two change places again and nothing has happened.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, RenameFlags, Stat, Uid};
use rustix::io::{Errno, retry_on_intr};

use crate::WriteError;
use crate::access::{Access, chown};
use crate::create::{absent, create, open_dir};
use crate::syncs::Syncs;
use crate::turn::take_turn;

/// The directory in which new files are staged before they are published. It is in every directory that is written to.
pub const STAGE: &str = ".stage";
const LOCK: &str = "lock";

/// A directory whose files are being changed. While this value lives, no other program of Formation changes them.
///
/// This value holds an flock on `.stage/lock`, which the kernel frees if the process dies. Files that a dead writer left in `.stage/`
/// are removed by the next writer.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    dir: OwnedFd,
    stage: OwnedFd,
    /// The syncs that others share with this directory; `None`: each write syncs its own files.
    syncs: Option<Syncs>,
    _lock: OwnedFd,
}

impl Directory {
    /// Opens `path` for changes and waits for other writers of this project, half a minute at most. Missing directories below `base` are
    /// created, with the access of `base`; `base` itself must exist, so that a destroyed directory is not created
    /// again.
    pub fn open(base: &Path, path: &Path) -> Result<Self, WriteError> {
        Self::open_for(base, path, None)
    }

    /// As [`Directory::open`]; writes are durable once `syncs` are finished.
    pub fn open_with(base: &Path, path: &Path, syncs: &Syncs) -> Result<Self, WriteError> {
        Self::open_for(base, path, Some(syncs.clone()))
    }

    fn open_for(base: &Path, path: &Path, syncs: Option<Syncs>) -> Result<Self, WriteError> {
        create(base, path, syncs.as_ref())?;
        let fail = |source: Errno| WriteError::new("open", path, source);
        let dir = open_dir(path).map_err(fail)?;
        let stage_path = path.join(STAGE);
        let stage = open_stage(&dir, base, &stage_path)?;
        let lock =
            lock_stage(&stage).map_err(|error| WriteError::new("lock", &stage_path.join(LOCK), error))?;
        chown(&stage, LOCK, Access::like(base, 0).owner)
            .map_err(|e| WriteError::new("own", &stage_path, e))?;
        remove_stale(&stage, &stage_path)?;
        Ok(Self { path: path.to_owned(), dir, stage, syncs, _lock: lock })
    }

    /// Replaces the content of the file `name`. After an error the old file is unchanged. If content, mode and owner are
    /// the wanted ones already, nothing is written, but the file is synced, because its writer may not have done so.
    pub fn write(&self, name: &str, bytes: &[u8], access: Access) -> Result<(), WriteError> {
        if let Some(file) = self.same(name, bytes, access) {
            let synced = self.sync_file(name, file).and_then(|()| Ok(self.sync()?));
            return synced.map_err(|error| WriteError::new("write", &self.path.join(name), error));
        }
        self.write_in_turn(&[(name, bytes.to_vec())], access)
    }

    /// Replaces files in the order given; a file may occur more than once. Each step is durable before the next. All contents are staged
    /// before the first step, and after an error all files are as they were.
    pub fn write_in_turn(&self, steps: &[(&str, Vec<u8>)], access: Access) -> Result<(), WriteError> {
        let staged: Vec<String> =
            (0..).zip(steps).map(|(turn, (name, _))| format!("{turn}.{name}")).collect();
        let done = self.stage_all(steps, &staged, access).and_then(|()| self.publish_all(steps, &staged));
        // The replaced files are in the stage now. If one of them cannot be removed, the next writer removes it.
        for name in &staged {
            self.unstage(name);
        }
        done
    }

    /// Removes the file `name`; a missing file is no error. After an error the file still exists.
    pub fn remove(&self, name: &str) -> Result<(), WriteError> {
        let fail = |errno: Errno| WriteError::new("remove", &self.path.join(name), errno);
        if self.find(name).map_err(fail)?.is_none() {
            // The file is missing. Another process may have removed it and been killed before it synced.
            return self.sync().map_err(fail);
        }
        rustix::fs::renameat(&self.dir, name, &self.stage, name).map_err(fail)?;
        let synced = self.sync();
        if synced.is_err() {
            let _ = rustix::fs::renameat(&self.stage, name, &self.dir, name);
        }
        self.unstage(name);
        synced.map_err(fail)
    }

    /// Renames the file `name` to `to`, a name that no file has. After an error the file has its old name.
    pub fn rename(&self, name: &str, to: &str) -> Result<(), WriteError> {
        let fail = |errno: Errno| WriteError::new("rename", &self.path.join(name), errno);
        rustix::fs::renameat(&self.dir, name, &self.dir, to).map_err(fail)?;
        let synced = self.sync();
        if synced.is_err() {
            let _ = rustix::fs::renameat(&self.dir, to, &self.dir, name);
        }
        synced.map_err(fail)
    }

    /// Removes the directory again if it is empty, because it was made for an app that was destroyed meanwhile.
    pub fn abandon(self) {
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

    fn stage_all(
        &self,
        steps: &[(&str, Vec<u8>)],
        staged: &[String],
        access: Access,
    ) -> Result<(), WriteError> {
        steps.iter().zip(staged).try_for_each(|((name, bytes), staged)| {
            self.stage_file((name, staged), bytes, access)
                .map_err(|e| WriteError::new("write", &self.path.join(name), e))
        })
    }

    fn stage_file(&self, (name, staged): (&str, &str), bytes: &[u8], access: Access) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.stage, staged, flags, Mode::from_raw_mode(0o600))?;
        let mut file = File::from(file);
        fill(&mut file, bytes, access)?;
        self.sync_file(name, file)
    }

    fn publish_all(&self, steps: &[(&str, Vec<u8>)], staged: &[String]) -> Result<(), WriteError> {
        let mut published = Vec::new();
        for ((name, _), staged) in steps.iter().zip(staged) {
            let fail = |errno: Errno| WriteError::new("write", &self.path.join(name), errno);
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

    /// Moves a staged file to its place, and the earlier file into the stage, so that the step can be undone.
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

    /// The file at `name`, if it exists. A directory of that name is an error, because no value is stored in a directory.
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

    fn sync_file(&self, name: &str, file: File) -> io::Result<()> {
        match &self.syncs {
            Some(syncs) => {
                syncs.add_file(self.path.join(name), file);
                Ok(())
            }
            None => file.sync_all(),
        }
    }

    fn sync(&self) -> Result<(), Errno> {
        match &self.syncs {
            Some(syncs) => syncs.add_directory(&self.path, &self.dir),
            None => retry_on_intr(|| rustix::fs::fsync(&self.dir)),
        }
    }
}

/// The thing that had the name of a file before the file was published.
#[derive(Clone, Copy)]
enum Replaced {
    Nothing,
    Staged,
    Gone,
}

fn fill(file: &mut File, bytes: &[u8], access: Access) -> io::Result<()> {
    file.write_all(bytes)?;
    if file.metadata()?.len() != bytes.len() as u64 {
        return Err(io::Error::new(io::ErrorKind::WriteZero, "the file system kept less than was written"));
    }
    if let Some((uid, gid)) = access.owner {
        rustix::fs::fchown(&*file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
    }
    Ok(rustix::fs::fchmod(&*file, Mode::from_raw_mode(access.mode))?)
}

/// The stage of the directory `path`, open; `None` if the directory does not exist.
pub fn stage_of(base: &Path, path: &Path) -> Result<Option<OwnedFd>, WriteError> {
    let dir = absent(open_dir(path)).map_err(|errno| WriteError::new("open", path, errno))?;
    let Some(dir) = dir else { return Ok(None) };
    match open_stage(&dir, base, &path.join(STAGE)) {
        // The directory was removed between the two opens.
        Err(WriteError { reason, .. }) if reason.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

fn open_stage(dir: &OwnedFd, base: &Path, path: &Path) -> Result<OwnedFd, WriteError> {
    match rustix::fs::mkdirat(dir, STAGE, Mode::from_raw_mode(0o700)) {
        Ok(()) | Err(Errno::EXIST) => (),
        Err(errno) => return Err(WriteError::new("create", path, errno)),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let stage = rustix::fs::openat(dir, STAGE, flags, Mode::empty())
        .map_err(|errno| WriteError::new("open", path, errno))?;
    own_stage(&stage, base).map_err(|errno| WriteError::new("own", path, errno))?;
    Ok(stage)
}

/// Gives the stage to the owner of `base`. Root may have been killed between making it and giving it away; then nobody else could
/// write here any more, so it is looked at each time.
fn own_stage(stage: &OwnedFd, base: &Path) -> Result<(), Errno> {
    let Some((uid, gid)) = Access::like(base, 0).owner else { return Ok(()) };
    let stat = rustix::fs::fstat(stage)?;
    if (stat.st_uid, stat.st_gid) == (uid, gid) {
        return Ok(());
    }
    rustix::fs::fchown(stage, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
}

fn lock_stage(stage: &OwnedFd) -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let lock = rustix::fs::openat(stage, LOCK, flags, Mode::from_raw_mode(0o600))?;
    take_turn(&lock)?;
    Ok(lock)
}

fn remove_stale(stage: &OwnedFd, path: &Path) -> Result<(), WriteError> {
    let entries = rustix::fs::Dir::read_from(stage).map_err(|errno| WriteError::new("read", path, errno))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        if !matches!(name.to_bytes(), b"." | b".." | b"lock") {
            let _ = rustix::fs::unlinkat(stage, name, AtFlags::empty());
        }
    }
    Ok(())
}
