//! Why an archive is not unpacked.

use std::io;
use std::path::{Path, PathBuf};

/// A problem of an archive, or of the directory into which it is unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The bytes are no tar archive, or it is cut off.
    #[error("it is no tar archive, or is not whole: {reason}")]
    NoArchive {
        /// Where reading it failed.
        reason: String,
    },
    /// The archive has a compression that is not supported.
    #[error(
        "it is compressed with {program}, and only gzip is read: {program} -dc FILE, and give what that prints"
    )]
    Compressed {
        /// The program that unpacks it.
        program: &'static str,
    },
    /// The archive is of another kind.
    #[error("it is a zip archive, and only tar is read: unpack it with unzip, and pack its files with tar")]
    Zip,
    /// The archive could not be read further.
    #[error("read it")]
    Read(#[source] io::Error),
    /// The archive has no entries.
    #[error("it is empty")]
    Empty,
    /// A path that leads out of the directory.
    #[error("{} would lie outside: pack with relative paths and without ..", path.display())]
    Outside {
        /// The path.
        path: PathBuf,
    },
    /// A link that leads out of the directory.
    #[error("the link {} leads out, to {}: pack what it leads to", path.display(), target.display())]
    LeadsOut {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A directory on the path of an entry is a symbolic link.
    #[error("the way to {} leads through a link: pack the directory itself", path.display())]
    ThroughLink {
        /// The directory that is a link.
        path: PathBuf,
    },
    /// An entry that is neither a file nor a directory nor a link.
    #[error("{} is neither a file nor a directory nor a link: leave it out", path.display())]
    NoFile {
        /// The entry.
        path: PathBuf,
    },
    /// Too many entries.
    #[error("it has more than {most} entries")]
    TooMany {
        /// The highest permitted number of entries.
        most: u64,
    },
    /// Too many bytes.
    #[error("with {} its files have more than {} MiB together", path.display(), most >> 20)]
    TooLarge {
        /// The file with which the limit was exceeded.
        path: PathBuf,
        /// The highest permitted number of bytes.
        most: u64,
    },
    /// A file could not be written.
    #[error("write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl UnpackError {
    /// The error for a failed read. Errors of the tar reader itself have no error number of the system.
    pub(crate) fn read(error: io::Error) -> Self {
        if error.raw_os_error().is_some() || error.kind() == io::ErrorKind::ConnectionAborted {
            Self::Read(error)
        } else {
            Self::NoArchive { reason: error.to_string() }
        }
    }

    pub(crate) fn write(path: &Path, source: io::Error) -> Self {
        Self::Write { path: path.to_owned(), source }
    }
}
