//! Writing a Procfile: complete and durable, or not at all. The new bytes are staged beside the file, get its mode and
//! owner, reach the disk, and take its name. A symlink stays one. What is no regular file is written in place.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use tempfile::NamedTempFile;

use crate::files::words;

/// Gives a file new bytes; it is created, with the usual mode, if it is not there.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    write(path, bytes)
        .map_err(|why| anyhow!("error writing procfile: open {}: {}", path.display(), words(&why)))
}

/// Makes files that must not exist yet: all of them, or none. Each is a path, its bytes and its mode before the umask.
pub(crate) fn create(files: &[(&Path, &[u8], u32)]) -> Result<()> {
    let failed = |path: &Path, why: &io::Error| anyhow!("create {}: {}", path.display(), words(why));
    let mut staged = Vec::new();
    for (path, bytes, mode) in files {
        let file = staged_beside(path, bytes, *mode).map_err(|why| failed(path, &why))?;
        staged.push((*path, file));
    }
    let mut made: Vec<&Path> = Vec::new();
    for (path, file) in staged {
        let kept = file.as_file().sync_all().and_then(|()| {
            file.persist_noclobber(path).map_err(|refused| refused.error)?;
            made.push(path);
            File::open(directory_of(path))?.sync_all()
        });
        if let Err(why) = kept {
            for path in made {
                // The first failure is the one to tell.
                let _ = fs::remove_file(path);
            }
            return Err(failed(path, &why));
        }
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let target = follow(path)?;
    match OpenOptions::new().write(true).open(&target) {
        Ok(mut file) if !file.metadata()?.is_file() => {
            file.write_all(bytes)?;
            file.flush()
        }
        Ok(file) => stage(&target, bytes, Some(&file.metadata()?)),
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => stage(&target, bytes, None),
        Err(refused) => Err(refused),
    }
}

fn stage(target: &Path, bytes: &[u8], like: Option<&fs::Metadata>) -> io::Result<()> {
    let mode = if like.is_some() { 0o600 } else { 0o666 };
    let staged = staged_beside(target, bytes, mode)?;
    if let Some(like) = like {
        keep_owner(staged.as_file(), like)?;
        staged.as_file().set_permissions(Permissions::from_mode(like.mode() & 0o7777))?;
    }
    staged.as_file().sync_all()?;
    staged.persist(target).map_err(|refused| refused.error)?;
    File::open(directory_of(target))?.sync_all()
}

fn staged_beside(target: &Path, bytes: &[u8], mode: u32) -> io::Result<NamedTempFile> {
    let directory = directory_of(target);
    fs::metadata(directory)?;
    let mut staged = tempfile::Builder::new()
        .prefix(".procfile-util.")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(directory)?;
    staged.write_all(bytes)?;
    Ok(staged)
}

fn directory_of(target: &Path) -> &Path {
    target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn keep_owner(staged: &File, like: &fs::Metadata) -> io::Result<()> {
    let own = staged.metadata()?;
    if (own.uid(), own.gid()) == (like.uid(), like.gid()) {
        return Ok(());
    }
    std::os::unix::fs::fchown(staged, Some(like.uid()), Some(like.gid()))
}

/// Where a path leads. The end need not exist; a loop is an error.
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
