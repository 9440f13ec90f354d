#![doc = include_str!("../README.md")]

use std::fs::{self, File, FileType};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{CWD, Mode, OFlags, openat};
use sha2::{Digest, Sha256};

/// How many names a directory may contain, including those in its subdirectories.
const MOST_NAMES: usize = 100_000;
const MOST_BYTES: u64 = 1 << 30;
const PIECE: usize = 1 << 16;
/// The execute bits of owner, group and others.
const EXECUTABLE: u32 = 0o111;

/// Why a directory has no digest.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory in it cannot be read.
    #[error("read {}", path.display())]
    Unreadable {
        /// What cannot be read.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The directory is too large.
    #[error("{} holds more than {MOST_NAMES} files or 1 GiB", directory.display())]
    TooLarge {
        /// The directory.
        directory: PathBuf,
    },
}

/// The digest of the content of a directory, `sha256:` and 64 hexadecimal digits.
///
/// # Errors
/// A file or directory in it cannot be read, or the directory is too large.
pub fn of(directory: &Path) -> Result<String, Error> {
    let mut walk = Walk { root: directory, digest: Sha256::new(), names: 0, bytes: 0, piece: vec![0; PIECE] };
    walk.directory(directory)?;
    // Each half of a byte is one digit.
    let halves = walk.digest.finalize().into_iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    let digits = halves.filter_map(|half| char::from_digit(half.into(), 16));
    Ok("sha256:".chars().chain(digits).collect())
}

/// The file or directory that was changed last, relative to the directory, if it was changed later than `time`. A directory is changed if
/// a name was added to it or removed. `None`: none was changed later.
pub fn changed_since(directory: &Path, time: SystemTime) -> Option<PathBuf> {
    let mut newest: Option<(SystemTime, PathBuf)> = None;
    let mut left = vec![directory.to_owned()];
    let mut looked_at = 0;
    while let Some(path) = left.pop() {
        looked_at += 1;
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        let changed = metadata.modified().ok().filter(|changed| *changed > time);
        if let Some(changed) =
            changed.filter(|changed| newest.as_ref().is_none_or(|(known, _)| changed > known))
        {
            let relative = path.strip_prefix(directory).unwrap_or(&path);
            newest = Some((changed, relative.to_owned()));
        }
        if metadata.is_dir() && looked_at < MOST_NAMES {
            left.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        }
    }
    newest.map(|(_, path)| path)
}

/// A directory that is being read.
struct Walk<'a> {
    root: &'a Path,
    digest: Sha256,
    names: usize,
    bytes: u64,
    /// The bytes of a file that were just read.
    piece: Vec<u8>,
}

impl Walk<'_> {
    fn directory(&mut self, directory: &Path) -> Result<(), Error> {
        let failed = |source| unreadable(directory, source);
        let entries = fs::read_dir(directory).map_err(failed)?;
        let mut entries = entries.collect::<io::Result<Vec<_>>>().map_err(failed)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        self.names += entries.len();
        if self.names > MOST_NAMES {
            return Err(self.too_large());
        }
        for entry in entries {
            let (path, name) = (entry.path(), entry.file_name());
            let metadata = fs::symlink_metadata(&path).map_err(|source| unreadable(&path, source))?;
            let is_executable = metadata.is_file() && metadata.permissions().mode() & EXECUTABLE != 0;
            self.word(&[kind(metadata.file_type()), u8::from(is_executable)]);
            self.word(name.as_bytes());
            if metadata.is_dir() {
                self.directory(&path)?;
                // Marks the end of a directory, so that a name in it and a name after it give different digests.
                self.word(b"");
            } else if metadata.is_file() {
                self.file(&path)?;
            } else if metadata.is_symlink() {
                let target = fs::read_link(&path).map_err(|source| unreadable(&path, source))?;
                self.word(target.as_os_str().as_bytes());
            }
        }
        Ok(())
    }

    /// Adds the bytes of a file, and after them their number. The file may have been replaced meanwhile; if it is a FIFO now, its writer
    /// is not waited for.
    fn file(&mut self, path: &Path) -> Result<(), Error> {
        let failed = |source: io::Error| unreadable(path, source);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut file =
            File::from(openat(CWD, path, flags, Mode::empty()).map_err(|errno| failed(errno.into()))?);
        let mut length: u64 = 0;
        loop {
            let read = file.read(&mut self.piece).map_err(failed)?;
            if read == 0 {
                break;
            }
            self.digest.update(&self.piece[..read]);
            length += read as u64;
            self.bytes += read as u64;
            if self.bytes > MOST_BYTES {
                return Err(self.too_large());
            }
        }
        self.digest.update(length.to_le_bytes());
        Ok(())
    }

    /// Adds bytes, with their number before them.
    fn word(&mut self, bytes: &[u8]) {
        self.digest.update((bytes.len() as u64).to_le_bytes());
        self.digest.update(bytes);
    }

    fn too_large(&self) -> Error {
        Error::TooLarge { directory: self.root.to_owned() }
    }
}

fn kind(of: FileType) -> u8 {
    match of {
        of if of.is_file() => b'f',
        of if of.is_dir() => b'd',
        of if of.is_symlink() => b'l',
        of if of.is_fifo() => b'p',
        of if of.is_socket() => b's',
        of if of.is_block_device() => b'b',
        _ => b'c',
    }
}

fn unreadable(path: &Path, source: io::Error) -> Error {
    Error::Unreadable { path: path.to_owned(), source }
}
