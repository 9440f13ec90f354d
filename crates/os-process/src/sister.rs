//! The programs of one installation lie beside each other, and each finds the others there. `PATH` stands in for a program that runs
//! from elsewhere, such as one that was just built.

use std::env;
use std::path::{Path, PathBuf};

/// The program of that name: beside the one that runs, else the first on `PATH`; `None` if it is in neither place.
pub fn sister(program: &str) -> Option<PathBuf> {
    let beside = env::current_exe().ok().map(|path| path.with_file_name(program));
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).map(|directory| directory.join(program));
    beside.into_iter().chain(on_path).find(|program| program.is_file())
}

/// The path by which a program of the installation that runs can be found after an upgrade too: where `PATH` leads to the program
/// that runs, a directory without a version in its name comes first. `None` if it is nowhere.
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

/// Whether a part of a path looks like a version, which the next upgrade may remove: `1.2.3`, `formation-0.4`, `v20.1`.
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
