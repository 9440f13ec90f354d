//! `$DOKKU_ROOT/<app>/.lib-roots`: the `DOKKU_LIB_ROOT`s that have the app, one path a line, if there is any other
//! than the one that created it. When an app is destroyed from one of them, its files there are removed, but the
//! app's directory is removed only if no other `DOKKU_LIB_ROOT` has the app. Without that directory the others would
//! no longer know the app, and could not stop its processes.
//!
//! The `DOKKU_LIB_ROOT` that created the app is written as `?`, so only apps with several of them need the file.
//!
//! Each of them has a lock of its own for the app, so the app's directory is locked while the file is changed. Otherwise two of them that
//! join the app, or leave it, at the same moment would both write what they read before, and one line would be lost.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use durable::{Access, WriteError};
use formation::AppName;

use crate::scope::Scope;
use crate::{Error, World};

const FILE: &str = ".lib-roots";
/// Stands for the `DOKKU_LIB_ROOT` that created the app.
const MAKER: &str = "?";
const MAX_BYTES: u64 = 1 << 16;

impl World {
    /// Records that this `DOKKU_LIB_ROOT` is about to have the app as well, if another one created it. Inside Dokku
    /// there is only one.
    pub fn join_app(&self, app: &AppName) -> Result<(), Error> {
        if self.inside_dokku() || self.has_data_of(app, self.lib()) {
            return Ok(());
        }
        let Some(own) = self.own_line() else { return Ok(()) };
        let turn = self.take_turn_at(app)?.filter(is_there);
        // Its last other user has destroyed it since we looked.
        let _turn = turn.ok_or_else(|| self.no_such_app(app))?;
        let mut lines = self.lib_roots(app);
        if lines.contains(&own) {
            return Ok(());
        }
        if lines.is_empty() {
            lines.push(MAKER.to_owned());
        }
        lines.push(own);
        self.write_lib_roots(app, &lines)
    }

    /// Removes the app from this `DOKKU_LIB_ROOT`, and returns another one that has the app, if there is one. If there is none,
    /// `remove` is called to remove the app's directory.
    pub(crate) fn leave_app(
        &self,
        app: &AppName,
        remove: impl FnOnce(&Path) -> Result<(), Error>,
    ) -> Result<Option<OtherRoot>, Error> {
        let _turn = self.take_turn_at(app)?;
        let other = self.strike_out(app)?;
        if other.is_none() {
            remove(&self.app_dir(app))?;
        }
        Ok(other)
    }

    /// Locks the app's directory; `None`: it does not exist.
    fn take_turn_at(&self, app: &AppName) -> Result<Option<File>, Error> {
        let path = self.app_dir(app);
        let fail = |reason| WriteError { action: "lock", path: path.clone(), reason };
        match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => {
                let turn = opened.map_err(fail)?;
                durable::take_turn(&turn).map_err(fail)?;
                Ok(Some(turn))
            }
        }
    }

    fn strike_out(&self, app: &AppName) -> Result<Option<OtherRoot>, Error> {
        let (lines, own) = (self.lib_roots(app), self.own_line());
        let is_named = own.as_ref().is_some_and(|own| lines.contains(own));
        let is_other = |line: &&String| match line.as_str() {
            MAKER => is_named,
            path => own.as_ref().is_none_or(|own| own != path) && self.has_data_of(app, Path::new(path)),
        };
        let others: Vec<String> = lines.iter().filter(is_other).cloned().collect();
        let Some(first) = others.last() else { return Ok(None) };
        self.write_lib_roots(app, &others)?;
        Ok(Some(if first == MAKER { OtherRoot::Maker } else { OtherRoot::At(first.into()) }))
    }

    fn lib_roots(&self, app: &AppName) -> Vec<String> {
        // If the file cannot be read, the app can be destroyed all the same.
        let bytes = durable::state(&self.app_dir(app).join(FILE), MAX_BYTES).unwrap_or_default();
        String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
    }

    fn write_lib_roots(&self, app: &AppName, lines: &[String]) -> Result<(), Error> {
        let mut text = lines.join("\n");
        text.push('\n');
        let path = self.app_dir(app);
        let directory = durable::Directory::open(self.root(), &path)?;
        directory.write(FILE, text.as_bytes(), Access::like(&path, 0o644))?;
        // This removes the stage directory again, which was made for this write.
        directory.abandon();
        Ok(())
    }

    /// The line for this `DOKKU_LIB_ROOT`; `None` if no line can hold its path.
    fn own_line(&self) -> Option<String> {
        let path = self.lib().canonicalize().unwrap_or_else(|_| self.lib().to_owned());
        path.into_os_string().into_string().ok().filter(|path| !path.contains('\n'))
    }

    /// Whether something of the app is kept below that `DOKKU_LIB_ROOT`.
    fn has_data_of(&self, app: &AppName, lib: &Path) -> bool {
        let own = [self.config_dir("ps", Scope::App(app)), self.data_dir("ps", app)];
        own.iter().filter_map(|path| path.strip_prefix(self.lib()).ok()).any(|path| lib.join(path).is_dir())
    }
}

/// Whether an open directory was not removed meanwhile.
fn is_there(directory: &File) -> bool {
    directory.metadata().is_ok_and(|directory| directory.nlink() > 0)
}

/// Another `DOKKU_LIB_ROOT` that has an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OtherRoot {
    /// Its path.
    At(PathBuf),
    /// The one that created the app; its path is unknown.
    Maker,
}

impl std::fmt::Display for OtherRoot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::At(path) => write!(f, "{}", path.display()),
            Self::Maker => f.write_str("the DOKKU_LIB_ROOT in which it was made"),
        }
    }
}
