//! Says more about "no space left on device". The kernel gives this error also where bytes are free and the inodes are used up, which
//! `df` does not show. Every message of a program passes here, wherever the error was met, also in another process.

use std::borrow::Cow;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The system's words for `ENOSPC`, and what Rust adds to them.
const WORDS: &str = "No space left on device";
const NUMBER: &str = " (os error 28)";

/// A file system whose inodes are all in use.
#[derive(Clone, Debug, PartialEq, Eq)]
struct UsedUp {
    /// Where it is mounted.
    place: PathBuf,
    inodes: u64,
}

/// The same message; if it says that a device has no space left, and the inodes of the file system that it names are used up, it says so.
pub(crate) fn explained(message: &str) -> Cow<'_, str> {
    if message.contains(WORDS) { explained_by(message, used_up) } else { Cow::Borrowed(message) }
}

fn explained_by(message: &str, look: impl Fn(&Path) -> Option<UsedUp>) -> Cow<'_, str> {
    let Some(at) = message.find(WORDS) else { return Cow::Borrowed(message) };
    let (before, after) = message.split_at(at);
    let Some(UsedUp { place, inodes }) = paths(before).find_map(look) else {
        return Cow::Borrowed(message);
    };
    let end = WORDS.len() + if after[WORDS.len()..].starts_with(NUMBER) { NUMBER.len() } else { 0 };
    let (words, rest) = after.split_at(end);
    let place = place.display();
    Cow::Owned(format!(
        "{before}{words}: all {inodes} inodes of the file system at {place} are in use, so that no file can be made there although \
         bytes may be free (df -i {place}): remove files from it{rest}"
    ))
}

/// The absolute paths in a message, the last one first. A path may contain blanks, so it is read up to the end.
fn paths(text: &str) -> impl Iterator<Item = &Path> {
    let text = text.trim_end_matches([':', ' ', '\'', '"']);
    let begins = |at: &usize| {
        let before = text[..*at].chars().next_back();
        before.is_none_or(|before| before.is_whitespace() || "'\"(=".contains(before))
    };
    let slashes: Vec<usize> = text.match_indices('/').map(|(at, _)| at).filter(begins).collect();
    slashes.into_iter().rev().map(|at| Path::new(&text[at..]))
}

/// The file system of a path, or of the nearest directory above it that exists, if all of its inodes are in use. One that makes inodes as
/// it needs them has no number of them.
fn used_up(path: &Path) -> Option<UsedUp> {
    let there = path.ancestors().find(|path| path.exists())?;
    let room = rustix::fs::statvfs(there).ok()?;
    (room.f_files > 0 && room.f_favail == 0).then(|| UsedUp { place: mounted(there), inodes: room.f_files })
}

/// The highest directory of the same file system.
fn mounted(path: &Path) -> PathBuf {
    let device = |path: &Path| path.metadata().ok().map(|metadata| metadata.dev());
    let own = device(path);
    let inside = path.ancestors().take_while(|above| device(above) == own);
    inside.last().unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_about_a_file_system_without_inodes_says_so_and_every_other_message_stays() {
        let full = |path: &Path| {
            path.starts_with("/mnt/a b").then(|| UsedUp { place: "/mnt/a b".into(), inodes: 300 })
        };
        let said = "all 300 inodes of the file system at /mnt/a b are in use";
        for (message, tail) in [
            ("ps-set: write /mnt/a b/x: No space left on device (os error 28)", ""),
            ("ps-set: write /mnt/a b/x: No space left on device", ""),
            ("copy /srv/y to '/mnt/a b/x': No space left on device (os error 28); go on", "; go on"),
        ] {
            let told = explained_by(message, full);
            let begin = message.strip_suffix(tail).expect("its tail");
            assert!(told.starts_with(begin) && told.contains(said) && told.ends_with(tail), "{told}");
        }
        for message in [
            "write /srv/y: No space left on device (os error 28)",
            "write /mnt/a b/x: Permission denied (os error 13)",
            "write x/mnt: No space left on device",
            "No space left on device",
        ] {
            assert_eq!(explained_by(message, full), message);
        }
    }
}
