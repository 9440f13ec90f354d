//! File systems without room: where the app is sure to write, where something is mounted below its directory, and where its own words say that
//! it could not write.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::StatVfsMountFlags;

use super::look::Look;
use crate::facts::{Full, Known};
use crate::patterns;

/// Below how many bytes a disk counts as full.
const NO_ROOM: u64 = 64 << 10;

/// The file systems without room among those that the app uses; one that it named in what it wrote comes first.
pub(super) fn full(look: &Look<'_>, instances: &[Known]) -> Vec<Full> {
    let own = look.spec.as_ref().map(|spec| spec.directory.clone());
    let named = instances.iter().flat_map(|known| &known.output).filter(|line| tells_of_room(&line.written));
    let named: Vec<PathBuf> =
        named.flat_map(|line| named_in(&line.written, own.as_deref().unwrap_or(Path::new("/")))).collect();
    let mounted = own.as_deref().map(mounted_below).unwrap_or_default();
    let others = [look.world.lib().to_owned(), PathBuf::from("/tmp")];
    let all = named.into_iter().chain(own).chain(mounted).chain(others);
    let mut full: Vec<Full> = Vec::new();
    for found in all.filter_map(|path| lacks_room(&path)) {
        if !full.iter().any(|known| known.path == found.path) {
            full.push(found);
        }
    }
    full
}

fn tells_of_room(line: &str) -> bool {
    patterns::of_line(line).is_some_and(|pattern| pattern.cause == "disk-full")
        || patterns::may_be_of_full_disk(line)
}

/// The directories of what a line names: `write /data/cache: no space left`, `mkdir 'data/session-1'`. A path without a slash in front is one below
/// the directory that the app runs in.
fn named_in(line: &str, own: &Path) -> Vec<PathBuf> {
    let is_mark = |c: char| c.is_whitespace() || "'\"‘’`,()[]".contains(c);
    let paths = line
        .split(is_mark)
        .map(|word| word.trim_end_matches([':', '.', ';']))
        .filter(|word| word.contains('/'));
    let there = |word: &str| own.join(word).ancestors().find(|path| path.is_dir()).map(Path::to_owned);
    paths.filter_map(there).filter(|path| path.parent().is_some()).collect()
}

/// The places below a directory where other file systems are mounted.
fn mounted_below(directory: &Path) -> Vec<PathBuf> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let places = table.lines().filter_map(|line| line.split(' ').nth(4)).map(PathBuf::from);
    places.filter(|place| place != directory && place.starts_with(directory)).collect()
}

fn lacks_room(path: &Path) -> Option<Full> {
    let room = rustix::fs::statvfs(path).ok()?;
    // An image that nobody can write to is as full as it was made.
    if room.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return None;
    }
    // A file system without a number of inodes makes them as it needs them.
    let is_of_inodes = room.f_files > 0 && room.f_favail == 0;
    let is_full = room.f_blocks > 0 && room.f_bavail.saturating_mul(room.f_frsize) < NO_ROOM;
    (is_of_inodes || is_full).then(|| Full { path: path.to_owned(), is_of_inodes: is_of_inodes && !is_full })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_line_names_is_looked_for_below_the_app_s_directory() {
        let place = tempfile::tempdir().expect("a directory");
        let own = place.path();
        fs::create_dir(own.join("data")).expect("a directory");
        let data = own.join("data");
        for line in [
            "Error: ENOSPC: no space left on device, mkdir 'data/session-1'",
            "write data/cache: no space left on device",
            "mktemp: failed to create directory via template ‘data/tmp.XXX’: No space left on device",
        ] {
            assert_eq!(named_in(line, own), std::slice::from_ref(&data), "{line}");
        }
        assert!(named_in("cannot write the cache: No space left on device", own).is_empty());
        assert!(
            named_in("write /nobody/x: no space left on device", own).is_empty(),
            "the root is no place of its own"
        );
    }
}
