//! The machine whose boot is set up, or the directory of an image of one.

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

    /// Whether it is this machine, whose init system can be told.
    pub(super) fn is_here(&self) -> bool {
        self.root.is_none()
    }
}
