//! Which hooks a trigger has, in the order in which they run: that of a shell's glob, bytewise by plugin name.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD};

use crate::Error;

/// Dokku's logger has a hook for nearly every trigger that does nothing; it does not count as an implementation.
const LOGGER: &str = "20_events";

/// A file of the trigger's name in an enabled plugin.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Hook {
    /// To be run.
    Runnable(PathBuf),
    /// There, but not executable.
    Inert(PathBuf),
}

/// Every hook of a trigger below `<plugins>/enabled`, in order. A directory that is not there has none.
pub(crate) fn of(plugins: &Path, trigger: &str) -> Result<Vec<Hook>, Error> {
    let candidates = enabled(&plugins.join("enabled"))?.into_iter().map(|plugin| plugin.join(trigger));
    Ok(candidates.filter(|path| path.is_file()).map(classify).collect())
}

/// The plugins other than the logger that would run something, in order.
pub(crate) fn plugins_of(plugins: &Path, trigger: &str) -> Result<Vec<String>, Error> {
    let runnable = of(plugins, trigger)?.into_iter().filter_map(|hook| match hook {
        Hook::Runnable(path) => Some(path.parent()?.file_name()?.to_string_lossy().into_owned()),
        Hook::Inert(_) => None,
    });
    Ok(runnable.filter(|plugin| plugin != LOGGER).collect())
}

/// Whether we may execute the file, with the rights that count when it is executed.
pub(crate) fn is_executable(path: &Path) -> bool {
    path.is_file() && rustix::fs::accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}

fn classify(path: PathBuf) -> Hook {
    if is_executable(&path) { Hook::Runnable(path) } else { Hook::Inert(path) }
}

fn enabled(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let fail = |reason| Error::Io { action: "read", path: directory.to_owned(), reason };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(fail(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.map_err(fail)?.file_name());
    }
    names.retain(|name| !name.as_bytes().starts_with(b"."));
    names.sort();
    Ok(names.into_iter().map(|name| directory.join(name)).collect())
}
