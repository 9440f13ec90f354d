//! The hooks of a trigger in the order in which they run: that of a shell's glob, by the bytes of the plugins' names.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD};

use crate::Error;

/// Dokku's plugin that logs events. It has a hook that does nothing for nearly every trigger, and does not count as
/// an implementation.
const LOGGER: &str = "20_events";

/// A file with the trigger's name in an enabled plugin.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Hook {
    /// It can be executed.
    Runnable(PathBuf),
    /// It exists but is not executable.
    Inert(PathBuf),
}

/// All hooks of a trigger below `<plugins>/enabled`, in order. If the directory does not exist there are none.
pub(crate) fn of(plugins: &Path, trigger: &str) -> Result<Vec<Hook>, Error> {
    let candidates = enabled(&plugins.join("enabled"))?.into_iter().map(|plugin| plugin.join(trigger));
    Ok(candidates.filter(|path| path.is_file()).map(classify).collect())
}

/// The plugins with an executable hook, except the logger, in order.
pub(crate) fn plugins_of(plugins: &Path, trigger: &str) -> Result<Vec<String>, Error> {
    let runnable = of(plugins, trigger)?.into_iter().filter_map(|hook| match hook {
        Hook::Runnable(path) => Some(path.parent()?.file_name()?.to_string_lossy().into_owned()),
        Hook::Inert(_) => None,
    });
    Ok(runnable.filter(|plugin| plugin != LOGGER).collect())
}

/// Whether we may execute the file, by the rights that the kernel checks when it executes it.
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
