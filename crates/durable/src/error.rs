//! Why a file was not read (fragments that follow its path), or not written.

use std::fs::FileType;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;

/// Why a file was not read. The text follows the file's path.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such file.
    #[error("no such file")]
    Missing,
    /// The file is a symbolic link, which is not allowed there.
    #[error("is a symbolic link")]
    Symlink,
    /// A symbolic link that leads to itself, or a very long chain of them.
    #[error("is a symbolic link that leads to itself")]
    LinkLoop,
    /// The path is something other than a file: `a directory`, `a FIFO`, `a socket`, `a device`.
    #[error("is not a file but {0}")]
    NotAFile(&'static str),
    /// The file has more than that many bytes.
    #[error("is larger than {}", size(*.0))]
    TooLarge(u64),
    /// The file system, or the writer of a pipe, did not answer for that long.
    #[error("did not answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// The reader was told to stop.
    #[error("interrupted")]
    Interrupted,
    /// The system refused.
    #[error(transparent)]
    Io(io::Error),
}

/// Why a write failed; nothing was changed. The reason is part of this message, so it is no `source`: printing
/// the whole chain would show it twice.
#[derive(Debug, thiserror::Error)]
#[error("{action} {}: {reason}", path.display())]
pub struct WriteError {
    /// What was being done: `write`, `create`, `lock`.
    pub action: &'static str,
    /// The file or directory.
    pub path: PathBuf,
    /// The error of the system.
    pub reason: io::Error,
}

impl WriteError {
    pub(crate) fn new(action: &'static str, path: &Path, reason: impl Into<io::Error>) -> Self {
        Self { action, path: path.to_owned(), reason: reason.into() }
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::NOENT) => Self::Missing,
            Some(Errno::LOOP) => Self::Symlink,
            // Among the things that can be opened for reading, only a socket gives this error.
            Some(Errno::NXIO) => Self::NotAFile("a socket"),
            _ => Self::Io(error),
        }
    }
}

impl From<Errno> for ReadError {
    fn from(errno: Errno) -> Self {
        io::Error::from(errno).into()
    }
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Missing => io::ErrorKind::NotFound.into(),
            ReadError::Io(error) => error,
            other => Self::new(io::ErrorKind::InvalidData, other.to_string()),
        }
    }
}

/// The kind of something that is no regular file.
pub(crate) fn kind(file_type: FileType) -> &'static str {
    if file_type.is_dir() {
        "a directory"
    } else if file_type.is_fifo() {
        "a FIFO"
    } else if file_type.is_socket() {
        "a socket"
    } else if file_type.is_symlink() {
        "a symbolic link"
    } else {
        "a device"
    }
}

/// A number of bytes in the largest unit that fits: `64 KiB`, `1 MiB`.
fn size(bytes: u64) -> String {
    match bytes.div_ceil(1024) {
        kib if kib >= 1024 && kib % 1024 == 0 => format!("{} MiB", kib / 1024),
        kib => format!("{kib} KiB"),
    }
}
