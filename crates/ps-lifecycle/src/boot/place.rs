//! The machine, or an image of one, that is to bring the apps back.

use std::path::{Path, PathBuf};

/// Where pieces lie: on this machine, or below the directory of an image.
pub(super) struct Place {
    pub(super) root: Option<PathBuf>,
}

impl Place {
    /// Where that path is.
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
