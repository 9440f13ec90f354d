//! The files of programs that are searched in `PATH`. They are kept for one turn of a supervisor, so that 300 instances that start
//! together search once: a `PATH` of twelve directories takes a call for each of them.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use env_files::Environment;
use rustix::fs::{Access, access};

/// What was found in this turn.
#[derive(Debug, Default)]
pub(crate) struct Programs(Vec<Found>);

#[derive(Debug)]
struct Found {
    program: OsString,
    places: OsString,
    directory: PathBuf,
    file: PathBuf,
}

impl Programs {
    /// Forgets the paths of programs, so that they are searched again.
    pub(crate) fn forget(&mut self) {
        self.0 = Vec::new();
    }

    /// The file that execvp(3) would run in that directory.
    pub(crate) fn find(
        &mut self,
        program: &OsStr,
        environment: &Environment,
        directory: &Path,
    ) -> Option<PathBuf> {
        if program.as_bytes().contains(&b'/') {
            return Some(directory.join(program));
        }
        let places = environment.get(OsStr::new("PATH"))?;
        let is_it = |found: &&Found| {
            (&*found.program, &*found.places, &*found.directory) == (program, places, directory)
        };
        if let Some(found) = self.0.iter().find(is_it) {
            return Some(found.file.clone());
        }
        let may_run = |path: &PathBuf| path.is_file() && access(path, Access::EXEC_OK).is_ok();
        let file =
            std::env::split_paths(places).map(|place| directory.join(place).join(program)).find(may_run)?;
        let (program, places) = (program.to_owned(), places.to_owned());
        self.0.push(Found { program, places, directory: directory.to_owned(), file: file.clone() });
        Some(file)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_program_is_searched_once_a_turn_for_each_path_and_directory() {
        let place = tempfile::tempdir().expect("a directory");
        for name in ["a", "b"] {
            fs::create_dir(place.path().join(name)).expect("made");
            let file = place.path().join(name).join("tool");
            fs::write(&file, "").expect("written");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).expect("ours");
        }
        let mut programs = Programs::default();
        let mut find = |path: &str, name: &str| {
            let environment = Environment::new([("PATH".into(), path.into())]);
            let found = programs.find(OsStr::new(name), &environment, place.path())?;
            Some(found.strip_prefix(place.path()).expect("below it").to_owned())
        };
        let file = |name: &str| Some(PathBuf::from(name));
        assert_eq!(find("none:a:b", "tool"), file("a/tool"));
        fs::remove_file(place.path().join("a/tool")).expect("there");
        assert_eq!(find("none:a:b", "tool"), file("a/tool"), "it was found in this turn");
        assert_eq!((find("b", "tool"), find("none", "tool")), (file("b/tool"), None));
        assert_eq!(find("none", "./tool"), file("tool"), "what has a slash is not searched");
        programs.forget();
        let environment = Environment::new([("PATH".into(), "none:a:b".into())]);
        let found = programs.find(OsStr::new("tool"), &environment, place.path());
        assert_eq!(found, Some(place.path().join("b/tool")));
    }
}
