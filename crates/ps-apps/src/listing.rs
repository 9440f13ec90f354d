//! Opens a directory from which many files are read, and which need not exist.

use std::io;
use std::path::Path;

use durable::{OpenDirectory, ReadError};

use crate::Error;

/// The directory at a path, opened for reading; `None` if it does not exist.
pub(crate) fn open(path: &Path) -> Result<Option<OpenDirectory>, Error> {
    match OpenDirectory::open(path) {
        Ok(directory) => Ok(Some(directory)),
        Err(ReadError::Missing) => Ok(None),
        Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::NotADirectory => Ok(None),
        Err(error) => Err(Error::io("read", path, error)),
    }
}
