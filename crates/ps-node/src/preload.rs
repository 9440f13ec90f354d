//! A file that each process loads before its program. With it, clients with persistent connections are asked to
//! reconnect in time.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempDir};

/// The environment variable that has Node load the file.
pub(crate) const VARIABLE: &str = "NODE_OPTIONS";

const FILE: &str = "keep-alive.js";

/// The file.
#[derive(Debug)]
pub(crate) struct Preload {
    path: PathBuf,
    /// The directory of the file, which is removed when this value is dropped.
    _directory: Option<TempDir>,
}

impl Preload {
    /// Writes a file that only this process uses.
    ///
    /// # Errors
    /// Temporary files cannot be written.
    pub(crate) fn write() -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix("ps-node-").tempdir()?;
        let path = directory.path().join(FILE);
        std::fs::write(&path, node_primary::KEEP_ALIVE)?;
        Ok(Self { path, _directory: Some(directory) })
    }

    /// Writes the file in a directory, where it stays for other processes.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn shared(directory: &Path) -> io::Result<Self> {
        // Node knows a loaded file by its path without symbolic links.
        let path = directory.canonicalize()?.join(FILE);
        if std::fs::read(&path).ok().as_deref() != Some(node_primary::KEEP_ALIVE.as_bytes()) {
            write_whole(&path, node_primary::KEEP_ALIVE.as_bytes())?;
        }
        Ok(Self { path, _directory: None })
    }

    /// The new value of the variable, which includes its present one.
    pub(crate) fn options(&self, before: Option<&OsStr>) -> OsString {
        let mut options = OsString::from("--require ");
        options.push(quoted(&self.path));
        if let Some(before) = before.filter(|before| !before.is_empty()) {
            options.push(" ");
            options.push(before);
        }
        options
    }
}

/// Writes a file so that readers always see it completely.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = NamedTempFile::new_in(path.parent().unwrap_or(Path::new("/")))?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}

/// A path as a word of `NODE_OPTIONS`.
fn quoted(path: &Path) -> OsString {
    let text = path.to_string_lossy();
    if text.contains([' ', '"', '\\']) {
        return format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")).into();
    }
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_blanks_is_one_word() {
        assert_eq!(quoted(Path::new("/tmp/a.js")), "/tmp/a.js");
        assert_eq!(quoted(Path::new("/tmp/a \"b\\.js")), "\"/tmp/a \\\"b\\\\.js\"");
    }
}
