//! Writes a Procfile completely and durably, or not at all. The new bytes are written to a staged file beside the
//! target, which gets the target's mode and owner, is synced to disk, and is renamed. A symlink stays a symlink. A
//! target that is not a regular file, such as a pipe, is written directly.

use std::fmt;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};

use crate::staged::{self, Staged, directory_of};
use crate::talk::words;

/// Replaces the bytes of a file. If the file does not exist, it is created with the usual mode.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    write(path, bytes, None).map_err(|refused| refused.told(path))
}

/// Like [`replace`], but only if the file still has the bytes from which the new ones were made; otherwise
/// [`Overtaken`].
pub(crate) fn exchange(path: &Path, old: &[u8], new: &[u8]) -> Result<()> {
    match write(path, new, Some(old)) {
        Err(Refused { overtaken: true, .. }) => Err(Overtaken.into()),
        written => written.map_err(|refused| refused.told(path)),
    }
}

/// Another writer has changed the file since it was read.
#[derive(Debug)]
pub(crate) struct Overtaken;

impl fmt::Display for Overtaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the file was changed meanwhile")
    }
}

impl std::error::Error for Overtaken {}

/// Removes what a killed writer left beside a file that already has the right bytes.
pub(crate) fn keep(path: &Path) {
    if let Ok(target) = follow(path) {
        staged::tidy(&target);
    }
}

/// Creates files that must not exist yet: all of them, or none. Each is a path, its bytes and its mode before the
/// umask.
pub(crate) fn create(files: &[(&Path, &[u8], u32)]) -> Result<()> {
    let failed = |path: &Path, why: &io::Error| anyhow!("create {}: {}", path.display(), words(why));
    let mut staged = Vec::new();
    for (path, bytes, mode) in files {
        let filled = Staged::beside(path, *mode).and_then(|mut file| file.fill(bytes).map(|()| file));
        staged.push((*path, filled.map_err(|why| failed(path, &why))?));
    }
    for (at, (path, file)) in staged.iter().enumerate() {
        if let Err(why) = file.place() {
            for (made, _) in &staged[..at] {
                // The error of the first failure is reported, not an error while undoing.
                let _ = fs::remove_file(made);
            }
            return Err(failed(path, &why));
        }
    }
    Ok(())
}

/// Why a file was not written, and what can be done about it.
struct Refused {
    why: io::Error,
    way_out: String,
    overtaken: bool,
}

impl Refused {
    fn told(&self, path: &Path) -> anyhow::Error {
        let Self { why, way_out, .. } = self;
        anyhow!("error writing procfile: open {}: {}{way_out}", path.display(), words(why))
    }
}

impl From<io::Error> for Refused {
    fn from(why: io::Error) -> Self {
        Self { why, way_out: String::new(), overtaken: false }
    }
}

fn write(path: &Path, bytes: &[u8], expected: Option<&[u8]>) -> Result<(), Refused> {
    let target = follow(path)?;
    match OpenOptions::new().write(true).open(&target) {
        Ok(mut file) if !file.metadata()?.is_file() => {
            file.write_all(bytes)?;
            Ok(file.flush()?)
        }
        Ok(_) => stage(&target, bytes, expected),
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
            let mut staged = Staged::beside(&target, 0o666)?;
            staged.fill(bytes)?;
            Ok(staged.place()?)
        }
        Err(refused) => Err(refused.into()),
    }
}

fn stage(target: &Path, bytes: &[u8], expected: Option<&[u8]>) -> Result<(), Refused> {
    let mut staged = Staged::beside(target, 0o600).map_err(|why| no_stage(target, why))?;
    // From here on we hold the lock of the staged file, so no other writer of ours replaces the target.
    let old = OpenOptions::new().write(true).read(expected.is_some()).open(target)?;
    if let Some(expected) = expected {
        let mut now = Vec::with_capacity(expected.len() + 1);
        (&old).take(expected.len() as u64 + 1).read_to_end(&mut now)?;
        if now != expected {
            return Err(Refused { overtaken: true, ..io::Error::from(io::ErrorKind::Other).into() });
        }
    }
    let like = &old.metadata()?;
    keep_owner(staged.file(), like)?;
    staged.file().set_permissions(Permissions::from_mode(like.mode() & 0o7777))?;
    staged.fill(bytes)?;
    Ok(staged.replace(old)?)
}

/// The error if the target can be opened, but no file can be created beside it.
fn no_stage(target: &Path, why: io::Error) -> Refused {
    let directory = directory_of(target).display();
    let way_out = match why.kind() {
        io::ErrorKind::PermissionDenied => {
            format!(": the new file is made beside the old, so {directory} must be writable, too")
        }
        io::ErrorKind::ResourceBusy => ": it is being edited by another procfile-util".to_owned(),
        _ => String::new(),
    };
    Refused { why, way_out, overtaken: false }
}

fn keep_owner(staged: &File, like: &fs::Metadata) -> Result<(), Refused> {
    let own = staged.metadata()?;
    if (own.uid(), own.gid()) == (like.uid(), like.gid()) {
        return Ok(());
    }
    std::os::unix::fs::fchown(staged, Some(like.uid()), Some(like.gid())).map_err(|why| Refused {
        why,
        way_out: format!(
            ": it belongs to user {} and group {}, which only they or root can keep; --stdout prints the result",
            like.uid(),
            like.gid()
        ),
        overtaken: false,
    })
}

/// The path to which symlinks lead. The last file need not exist; a loop is an error.
fn follow(path: &Path) -> io::Result<PathBuf> {
    let mut at = path.to_path_buf();
    for _ in 0..40 {
        match fs::read_link(&at) {
            Ok(to) => at = at.parent().unwrap_or(Path::new("")).join(to),
            Err(_) => return Ok(at),
        }
    }
    Err(io::Error::from_raw_os_error(40))
}
