//! The path of an unpacked entry, which is always below the directory and never leads through a link.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::UnpackError;

/// The path of an entry below the directory; `None` for the directory itself.
pub(crate) fn inside(path: &Path) -> Result<Option<PathBuf>, UnpackError> {
    let mut inside = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => inside.push(part),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(UnpackError::Outside { path: path.to_owned() });
            }
        }
    }
    Ok((!inside.as_os_str().is_empty()).then_some(inside))
}

/// Creates the directories of a path; none of them may be a link.
pub(crate) fn make_directories(directory: &Path, inside: &Path) -> Result<(), UnpackError> {
    let mut way = directory.to_owned();
    for part in inside.components() {
        way.push(part);
        match way.symlink_metadata() {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(metadata) if metadata.is_symlink() => {
                return Err(UnpackError::ThroughLink { path: inside.to_owned() });
            }
            Ok(_) => return Err(UnpackError::NoFile { path: inside.to_owned() }),
            Err(_) => fs::create_dir(&way).map_err(|source| UnpackError::write(&way, source))?,
        }
    }
    Ok(())
}

/// Refuses a path that leads through a link.
pub(crate) fn refuse_links(directory: &Path, inside: &Path) -> Result<(), UnpackError> {
    let mut way = directory.to_owned();
    for part in inside.components() {
        way.push(part);
        if way.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink()) {
            return Err(UnpackError::ThroughLink { path: inside.to_owned() });
        }
    }
    Ok(())
}

/// Removes an earlier entry at this path, because a later one replaces it.
pub(crate) fn make_way(whole: &Path) -> Result<(), UnpackError> {
    match fs::remove_file(whole) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(UnpackError::write(whole, error)),
        _ => Ok(()),
    }
}

/// Refuses a symbolic link that leads out of the directory. A target may contain `..` only at its beginning: after a name that is
/// itself a link, `..` would mean another directory than the path says.
pub(crate) fn refuse_outward(path: &Path, inside: &Path, target: &Path) -> Result<(), UnpackError> {
    let mut above = inside.components().count().saturating_sub(1);
    let mut is_down = false;
    for component in target.components() {
        match component {
            Component::Normal(_) => is_down = true,
            Component::CurDir => {}
            Component::ParentDir if above > 0 && !is_down => above -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(UnpackError::LeadsOut { path: path.to_owned(), target: target.to_owned() });
            }
        }
    }
    Ok(())
}
