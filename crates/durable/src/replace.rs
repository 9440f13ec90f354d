//! Replaces a file that has only one writer. Every reader sees the old or the new file as a whole. The new file is staged beside its
//! place, without a lock. Only [`replace_durably`] syncs what it writes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags};

use crate::access::{Access, chown};

/// Replaces whatever has this name, even a directory, by a file with `bytes` that only its owner may read. Every reader sees the old or
/// the new one as a whole. After an error nothing has changed.
pub fn replace(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let (path, staged) = places(directory, name);
    stage(&staged, bytes)?;
    put(&staged, &path)
}

/// As [`replace`], for a file that must survive a power failure: when this returns, its bytes and its name are on the disk. The file gets
/// the owner and group of `directory`, if this process may set them.
///
/// # Errors
/// The file could not be written or synced. The earlier file is in its place again, unless it was a directory.
pub fn replace_durably(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let (path, staged) = places(directory, name);
    stage(&staged, bytes)?;
    // Only root can change the owner, and only for root can it differ.
    let _ = chown(CWD, &staged, Access::like(directory, 0o600).owner);
    let put = sync(&staged).and_then(|()| put_durably(directory, &staged, &path));
    if put.is_err() {
        // The staged file is not needed any more, and only takes up space.
        let _ = clear(&staged);
    }
    put
}

fn put_durably(directory: &Path, staged: &Path, path: &Path) -> io::Result<()> {
    let exchange = || rustix::fs::renameat_with(CWD, staged, CWD, path, RenameFlags::EXCHANGE);
    let (is_exchanged, was_there) = (exchange().is_ok(), path.exists());
    if !is_exchanged {
        // There is no earlier file, or the file system cannot exchange two files.
        put(staged, path)?;
    }
    let synced = sync(directory);
    let _ = match (&synced, is_exchanged) {
        (Ok(()), true) => clear(staged),
        (Err(_), true) => exchange().map_err(io::Error::from),
        (Err(_), false) if !was_there => clear(path),
        (_, false) => Ok(()),
    };
    synced
}

fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// As [`replace`], for a file that is written often and whose content is also stored elsewhere: after a power failure it may be empty.
/// When a new file replaces another one, ext4 first writes the bytes of the new file to the disk, which costs more than everything else.
/// It does not do that if two files are exchanged.
pub fn refresh(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let (path, staged) = places(directory, name);
    stage(&staged, bytes)?;
    match rustix::fs::renameat_with(CWD, &staged, CWD, &path, RenameFlags::EXCHANGE) {
        // If the old file cannot be removed, the next write removes it.
        Ok(()) => clear(&staged).or(Ok(())),
        // There is no earlier file, or the file system cannot exchange two files.
        Err(_) => put(&staged, &path),
    }
}

fn places(directory: &Path, name: &str) -> (PathBuf, PathBuf) {
    (directory.join(name), directory.join(format!(".{name}.new")))
}

fn stage(staged: &Path, bytes: &[u8]) -> io::Result<()> {
    let create = || OpenOptions::new().write(true).create_new(true).mode(0o600).open(staged);
    let mut file = match create() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            clear(staged)?;
            create()?
        }
        created => created?,
    };
    let written = file.write_all(bytes);
    if written.is_err() {
        // The incomplete file is of no use, and only takes up space.
        let _ = fs::remove_file(staged);
    }
    written
}

fn put(staged: &Path, path: &Path) -> io::Result<()> {
    match fs::rename(staged, path) {
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            clear(path)?;
            fs::rename(staged, path)
        }
        renamed => renamed,
    }
}

/// Removes whatever has this name; a missing name is no error.
fn clear(path: &Path) -> io::Result<()> {
    let removed = match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => fs::remove_dir_all(path),
        removed => removed,
    };
    removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_way_the_new_file_is_there_alone_whatever_lay_in_its_place() {
        for put in [replace, refresh, replace_durably] {
            let place = tempfile::tempdir().expect("a directory");
            let (path, staged) = places(place.path(), "status");
            let files = || fs::read_dir(place.path()).expect("readable").count();
            for text in ["first", "second", "3"] {
                put(place.path(), "status", text.as_bytes()).expect("written");
                assert_eq!((fs::read_to_string(&path).expect("there"), files()), (text.to_owned(), 1));
            }
            // A file that a killed writer left incomplete, and directories that somebody made.
            fs::write(&staged, "hal").expect("written");
            put(place.path(), "status", b"whole").expect("written");
            fs::remove_file(&path).expect("there");
            for path in [&path, &staged] {
                fs::create_dir_all(path.join("full")).expect("made");
            }
            put(place.path(), "status", b"again").expect("written");
            assert_eq!((fs::read(&path).expect("there"), files()), (b"again".to_vec(), 1));
            assert!(put(&place.path().join("none"), "status", b"").is_err());
        }
    }
}
