//! Reading and replacing a file of ours that somebody else may have put something else in the place of.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
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

/// Puts `bytes` in the place of whatever has this name, whole or not at all, for its owner alone to read. Not synced.
pub(crate) fn replace(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let (path, staged) = (directory.join(name), directory.join(format!(".{name}.new")));
    clear(&staged)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&staged)?;
    if let Err(error) = file.write_all(bytes) {
        // What is half written takes room that others need.
        let _ = fs::remove_file(&staged);
        return Err(error);
    }
    match fs::rename(&staged, &path) {
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            clear(&path)?;
            fs::rename(&staged, &path)
        }
        renamed => renamed,
    }
}

/// Removes whatever has this name; nothing there is success.
fn clear(path: &Path) -> io::Result<()> {
    let removed = match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}
