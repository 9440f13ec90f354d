//! Finds Procfiles: those that are named, and those below a directory that is named.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use anyhow::{Result, anyhow};

use crate::talk::words;

/// Directories that are not searched, because the files in them are other people's.
const FOREIGN: [&str; 2] = ["node_modules", "vendor"];

/// A file to check, or the error for a directory in which there is none.
pub(crate) type Place = Result<OsString, (OsString, anyhow::Error)>;

/// The paths as given. A directory stands for the Procfiles below it, sorted.
pub(crate) fn procfiles(paths: &[&OsStr]) -> Vec<Place> {
    let mut places = Vec::new();
    for path in paths {
        if *path == "-" || !Path::new(path).is_dir() {
            places.push(Ok((*path).to_owned()));
            continue;
        }
        let mut found = Vec::new();
        let failed = |why| Err(((*path).to_owned(), why));
        match below(Path::new(path), &mut found) {
            Err(why) => places.push(failed(why)),
            Ok(()) if found.is_empty() => {
                places.push(failed(anyhow!("read {}: is a directory without a Procfile", path.display())));
            }
            Ok(()) => {
                found.sort();
                places.extend(found.into_iter().map(Ok));
            }
        }
    }
    places
}

fn below(directory: &Path, found: &mut Vec<OsString>) -> Result<()> {
    let mut ahead: Vec<PathBuf> = vec![directory.to_owned()];
    while let Some(directory) = ahead.pop() {
        let why = |why| anyhow!("read {}: {}", directory.display(), words(&why));
        for entry in fs::read_dir(&directory).map_err(why)? {
            let entry = entry.map_err(why)?;
            let (name, kind) = (entry.file_name(), entry.file_type().map_err(why)?);
            if kind.is_dir() && !is_foreign(&name) {
                ahead.push(entry.path());
            } else if is_procfile(&name) && is_worth_reading(&entry.path()) {
                found.push(entry.path().into());
            }
        }
    }
    Ok(())
}

/// Whether a path that was found in a directory is checked: it must be a regular file, possibly behind a symlink, or
/// a file that has just vanished. A pipe is not checked, because nobody named it and reading it would wait.
fn is_worth_reading(path: &Path) -> bool {
    fs::metadata(path).map_or(true, |about| about.is_file())
}

fn is_foreign(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".") || FOREIGN.iter().any(|foreign| name == *foreign)
}

/// Whether a file has the name of a Procfile: `Procfile`, `Procfile.dev`, `staging.Procfile`.
fn is_procfile(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let stem = name.strip_suffix("Procfile");
    name == "Procfile"
        || name.starts_with("Procfile.")
        || stem.is_some_and(|stem| !stem.ends_with(|c: char| c.is_alphanumeric()))
}

/// Calls `work` for each place, with one thread per processor, and returns the results in the order of the places.
pub(crate) fn in_parallel<P: Sync, T: Send>(paths: &[P], work: impl Fn(&P) -> T + Sync) -> Vec<T> {
    let workers = thread::available_parallelism().map_or(1, NonZero::get).min(paths.len());
    if workers < 2 {
        return paths.iter().map(&work).collect();
    }
    let ahead = Mutex::new(paths.iter().enumerate());
    let next = || ahead.lock().ok().and_then(|mut ahead| ahead.next());
    let share = || {
        let mut done = Vec::new();
        while let Some((at, path)) = next() {
            done.push((at, work(path)));
        }
        done
    };
    let mut all: Vec<(usize, T)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(share)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
    });
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, result)| result).collect()
}
