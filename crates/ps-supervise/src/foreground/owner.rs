//! The file that says which foreground a state directory belongs to, and the removal of the directory.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::home;

/// The file in the directory: the pid of the foreground, a newline, the directory that it runs from.
const OWNER_FILE: &str = "owner";

/// Records that a new state directory belongs to this process, which runs from `source`.
pub(crate) fn write(state: &Path, source: &Path) -> Result<()> {
    let owner = state.join(OWNER_FILE);
    let pid = format!("{}\n", std::process::id());
    let content = [pid.as_bytes(), source.as_os_str().as_bytes()].concat();
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&owner);
    file.and_then(|mut file| file.write_all(&content)).with_context(|| format!("write {}", owner.display()))
}

/// The pid of the foreground of a state directory, and its source directory; `None` if it is no state directory.
pub(crate) fn read(state: &Path) -> Option<(String, PathBuf)> {
    let content = fs::read(state.join(OWNER_FILE)).ok()?;
    let end = content.iter().position(|byte| *byte == b'\n')?;
    let pid = String::from_utf8_lossy(&content[..end]).into_owned();
    Some((pid, PathBuf::from(OsStr::from_bytes(&content[end + 1..]))))
}

/// Removes a state directory, and the directory of all if it was the last one.
pub(crate) fn remove(state: &Path) -> io::Result<()> {
    fs::remove_dir_all(state)?;
    if let Some(home) = state.parent() {
        home::leave(home);
    }
    Ok(())
}
