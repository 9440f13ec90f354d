//! Finds the programs of an installation, the running one among them: the others lie beside the running one. If a program is not there, for instance
//! because the running one was just built, it is searched on `PATH`.

use std::env;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::resident::ordinary_place;

/// The file of the program that this process executes, whatever its path leads to now.
const OWN: &str = "/proc/self/exe";

/// The path of the program that this process executes; `None` if another file lies there now, such as that of an upgrade.
pub fn own_program() -> Option<PathBuf> {
    let path = env::current_exe().ok()?;
    let (own, there) = (Path::new(OWN).metadata().ok()?, path.metadata().ok()?);
    ((own.dev(), own.ino()) == (there.dev(), there.ino())).then_some(path)
}

/// The path of that program: beside the running one, else the first on `PATH`; `None` if it is in neither place. A separate program
/// that stays in memory looks beside the ordinary program of its installation, which an upgrade does not remove.
pub fn sister(program: &str) -> Option<PathBuf> {
    let own = env::current_exe().ok();
    let ordinary = own.as_deref().and_then(ordinary_place).map(|place| place.join(program));
    let beside = ordinary.into_iter().chain(own.map(|own| own.with_file_name(program)));
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).map(|directory| directory.join(program));
    beside.chain(on_path).find(|program| program.is_file())
}

/// The path under which a program of this installation will be found after an upgrade as well. If `PATH` leads to the
/// running installation through a directory without a version in its name, that path is preferred. `None` if there is none.
pub fn lasting_sister(program: &str) -> Option<PathBuf> {
    let own = env::current_exe().ok()?;
    let (directory, name) = (own.parent()?.to_owned(), own.file_name()?.to_owned());
    let path = env::var_os("PATH").unwrap_or_default();
    let leads_here = |directory: &PathBuf| {
        let is_own = directory.join(&name).canonicalize().is_ok_and(|found| found == own);
        directory.is_absolute() && is_own && directory.join(program).is_file()
    };
    let directories: Vec<PathBuf> = env::split_paths(&path).chain([directory]).filter(leads_here).collect();
    let lasting = directories.iter().find(|directory| !names_a_version(directory));
    lasting.or(directories.first()).map(|directory| directory.join(program))
}

/// Whether a part of the path looks like a version, so that an upgrade may remove it: `1.2.3`, `formation-0.4`, `v20.1`.
pub fn names_a_version(path: &Path) -> bool {
    let is_version = |part: &str| {
        let digits = |text: &str| text.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
        let (before, after) = part.split_once('.').unwrap_or_default();
        before.bytes().next_back().is_some_and(|byte| byte.is_ascii_digit()) && digits(after)
    };
    path.iter().any(|part| is_version(&part.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_told_by_its_digits_and_dots() {
        for path in ["/opt/formation/1.2.3/bin", "/opt/formation-0.4/bin", "/home/x/.nvm/v20.1.0/bin"] {
            assert!(names_a_version(Path::new(path)), "{path}");
        }
        for path in
            ["/usr/local/bin", "/opt/formation/current/bin", "/srv/a.b/bin", "/srv/web2/bin", "/x/.local/bin"]
        {
            assert!(!names_a_version(Path::new(path)), "{path}");
        }
    }
}
