//! Replacing a file that is written often and need not survive the machine: whole or not at all for every reader, but not
//! synced, and staged beside its place without a lock. Whoever uses it is the only writer.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Puts `bytes` in the place of whatever has this name, be it a directory: whole or not at all, for its owner alone to read.
/// After an error what was there is as it was.
pub fn replace(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
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
