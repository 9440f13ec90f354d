//! Why an archive is not unpacked.

use std::io;
use std::path::{Path, PathBuf};

/// What is wrong with an archive, or with where it is unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The bytes are no tar archive, or it is cut off.
    #[error("it is no tar archive, or is not whole: {reason}")]
    NoArchive {
        /// Where reading it failed.
        reason: String,
    },
    /// It is compressed in a way that is not read here.
    #[error(
        "it is compressed with {program}, and only gzip is read: {program} -dc FILE, and give what that prints"
    )]
    Compressed {
        /// The program that reads it.
        program: &'static str,
    },
    /// It could not be read any further.
    #[error("read it")]
    Read(#[source] io::Error),
    /// Nothing is in it.
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
    /// The way to an entry leads through a link.
    #[error("the way to {} leads through a link: pack the directory itself", path.display())]
    ThroughLink {
        /// The directory that is a link.
        path: PathBuf,
    },
    /// An entry that is no file, no directory and no link.
    #[error("{} is neither a file nor a directory nor a link: leave it out", path.display())]
    NoFile {
        /// The entry.
        path: PathBuf,
    },
    /// Too many entries.
    #[error("it has more than {most} entries")]
    TooMany {
        /// How many there may be.
        most: u64,
    },
    /// Too many bytes.
    #[error("with {} its files have more than {} MiB together", path.display(), most >> 20)]
    TooLarge {
        /// The file at which that became so.
        path: PathBuf,
        /// How many bytes there may be.
        most: u64,
    },
    /// A file could not be written.
    #[error("write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl UnpackError {
    /// What the reader of the archive said. Its own errors have no number of the system's.
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
