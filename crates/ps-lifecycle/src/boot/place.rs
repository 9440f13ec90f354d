//! The machine on which pieces are installed, or the directory of a machine's image.

use std::path::{Path, PathBuf};

/// Where pieces are installed: on this machine, or below the directory of an image.
pub(super) struct Place {
    pub(super) root: Option<PathBuf>,
}

impl Place {
    /// The path at which a piece is installed.
    pub(super) fn path(&self, path: &Path) -> PathBuf {
        match &self.root {
            Some(root) => root.join(path.strip_prefix("/").unwrap_or(path)),
            None => path.to_owned(),
        }
    }

    /// Whether this is the running machine, whose init system has to be told of changes.
    pub(super) fn is_here(&self) -> bool {
        self.root.is_none()
    }
}
