//! The file that each process loads before its program, so that clients that keep their connections leave in time.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;

use tempfile::TempDir;

/// The variable by which Node is told to load it.
pub(crate) const VARIABLE: &str = "NODE_OPTIONS";

/// The file, which is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Preload(TempDir);

impl Preload {
    /// # Errors
    /// There is no place for temporary files.
    pub(crate) fn write() -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix("ps-node-").tempdir()?;
        std::fs::write(directory.path().join("keep-alive.js"), node_primary::KEEP_ALIVE)?;
        Ok(Self(directory))
    }

    /// The value of the variable, around the one that it has.
    pub(crate) fn options(&self, before: Option<&OsStr>) -> OsString {
        let mut options = OsString::from("--require ");
        options.push(quoted(&self.0.path().join("keep-alive.js")));
        if let Some(before) = before.filter(|before| !before.is_empty()) {
            options.push(" ");
            options.push(before);
        }
        options
    }
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
