//! Reading a file of ours that somebody else may have put something else in the place of.

use std::io;
use std::path::Path;

use durable::ReadError;

/// The largest file of ours, in bytes.
const MAX_BYTES: u64 = 4 << 20;

/// The bytes of a regular file of at most 4 MiB: a FIFO does not hold us up, and no symlink is followed.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    durable::state(path, MAX_BYTES).map_err(|error| match error {
        ReadError::Missing => io::ErrorKind::NotFound.into(),
        ReadError::Io(error) => error,
        error => io::Error::new(io::ErrorKind::InvalidData, format!("{error}: remove it")),
    })
}
