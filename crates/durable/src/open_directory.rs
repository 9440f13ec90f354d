//! A directory from which many files are read. It is opened once and listed once, and its files are opened relative to
//! it. Reports read a few files of each of thousands of directories. For each file the kernel then looks up one name
//! instead of a whole path, and the kind of the file is known from the list.
//!
//! The standard library's reader of directories panics if a directory cannot be closed; this one does not.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, Stat};
use rustix::io::retry_on_intr;

use crate::{READING, ReadError, regular};

/// The size of the buffer for names, in bytes. Some hundred names fit, so for most directories one call fills it, and a second one says
/// that there are no more.
const LIST: usize = 8 << 10;
/// Nearly every file of this project is shorter than this, in bytes, and is then read in one go.
const SHORT: usize = 1024;

/// A directory as it was when it was opened. A file that was made or renamed since may be missing from its list.
#[derive(Debug)]
pub struct OpenDirectory {
    directory: OwnedFd,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    name: String,
    is_file: bool,
}

impl OpenDirectory {
    /// Opens and lists the directory at a path; symlinks are followed. [`ReadError::Missing`] if there is none. Names that are not text
    /// are left out.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()))?;
        let mut entries = Vec::new();
        let mut room = [MaybeUninit::uninit(); LIST];
        let mut list = RawDir::new(&directory, &mut room);
        while let Some(entry) = list.next() {
            let entry = entry?;
            let is_file = entry.file_type() == FileType::RegularFile;
            let name = name(entry.file_name());
            entries.extend(name.map(|name| Entry { name, is_file }));
        }
        Ok(Self { directory, entries })
    }

    /// The names of the entries, in the order of the file system.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| &*entry.name)
    }

    /// Whether an entry of that name existed when the directory was opened.
    pub fn has(&self, name: &str) -> bool {
        self.names().any(|listed| listed == name)
    }

    /// The bytes of a file of this project in the directory, as [`crate::state`] reads it.
    pub fn state(&self, name: &str, max: u64) -> Result<Vec<u8>, ReadError> {
        let file = self.open_at_once(name)?;
        if self.is_listed_as_file(name) { listed(file, max) } else { regular(file, max) }
    }

    /// A file of this project in the directory, as [`crate::open`] opens it.
    pub fn file(&self, name: &str) -> Result<File, ReadError> {
        let file = self.open_at_once(name)?;
        if self.is_listed_as_file(name) { Ok(file) } else { crate::only_regular(file) }
    }

    /// The metadata of an entry, without following a symlink.
    ///
    /// # Errors
    /// There is no such entry, or its metadata cannot be read.
    pub fn stat(&self, name: &str) -> io::Result<Stat> {
        Ok(rustix::fs::statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    fn open_at_once(&self, name: &str) -> Result<File, ReadError> {
        Ok(File::from(retry_on_intr(|| rustix::fs::openat(&self.directory, name, READING, Mode::empty()))?))
    }

    /// Whether the listing has a regular file of this name. If the file was replaced by something else since then, the replacement is
    /// opened and read without waiting and up to a limit, so that at worst its bytes make no sense.
    fn is_listed_as_file(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| entry.is_file && entry.name == name)
    }
}

/// The name as text; `None` for `.` and `..`, and for a name that is not UTF-8.
fn name(name: &CStr) -> Option<String> {
    let name = name.to_str().ok()?;
    (name != "." && name != "..").then(|| name.to_owned())
}

/// The bytes of an open file of unknown length. A read that does not fill the buffer has reached the end of a regular file.
fn listed(file: File, max: u64) -> Result<Vec<u8>, ReadError> {
    let mut bytes = vec![0; SHORT];
    let filled = retry_on_intr(|| rustix::io::read(&file, &mut bytes)).map_err(io::Error::from)?;
    bytes.truncate(filled);
    if filled == SHORT { crate::rest(file, bytes, max) } else { crate::at_most(bytes, max) }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, mkfifoat};

    use super::*;

    const MAX: u64 = 10_000;

    #[test]
    fn what_is_listed_and_what_came_since_is_read_and_what_is_no_file_is_not() {
        let place = tempfile::tempdir().expect("a directory");
        let path = |name: &str| place.path().join(name);
        for (name, length) in [("empty", 0), ("short", 7), ("full", SHORT), ("long", SHORT + 7)] {
            fs::write(path(name), "x".repeat(length)).expect("written");
        }
        fs::create_dir(path("directory")).expect("made");
        mkfifoat(CWD, path("fifo"), Mode::from_raw_mode(0o600)).expect("made");
        symlink("short", path("link")).expect("made");
        let directory = OpenDirectory::open(place.path()).expect("readable");
        let mut names: Vec<&str> = directory.names().collect();
        names.sort_unstable();
        assert_eq!(names, ["directory", "empty", "fifo", "full", "link", "long", "short"]);
        fs::write(path("later"), "later").expect("written");
        for name in ["empty", "short", "full", "long", "later"] {
            let read = directory.state(name, MAX).expect("readable");
            assert_eq!(read, fs::read(path(name)).expect("there"), "{name}");
        }
        let error = |name: &str| directory.state(name, MAX).expect_err("no file").to_string();
        assert_eq!(error("directory"), "is not a file but a directory");
        assert_eq!(error("fifo"), "is not a file but a FIFO");
        assert_eq!(error("link"), "is a symbolic link");
        assert_eq!(error("none"), "no such file");
        assert!(directory.file("short").is_ok() && directory.file("fifo").is_err());
        assert!(directory.stat("link").is_ok() && directory.stat("none").is_err());
    }

    #[test]
    fn a_limit_holds_whether_a_file_is_long_or_short() {
        let place = tempfile::tempdir().expect("a directory");
        fs::write(place.path().join("value"), "x".repeat(SHORT + 1)).expect("written");
        let directory = OpenDirectory::open(place.path()).expect("readable");
        let read = |max: usize| directory.state("value", max as u64).map(|bytes| bytes.len());
        assert_eq!(read(SHORT + 1).expect("readable"), SHORT + 1);
        for max in [0, 10, SHORT - 1, SHORT] {
            assert!(matches!(read(max), Err(ReadError::TooLarge(_))), "{max}");
        }
    }

    #[test]
    fn what_took_the_place_of_a_listed_file_neither_hangs_nor_is_believed() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("value");
        fs::write(&path, "text").expect("written");
        let directory = OpenDirectory::open(place.path()).expect("readable");
        fs::remove_file(&path).expect("there");
        mkfifoat(CWD, &path, Mode::from_raw_mode(0o600)).expect("made");
        assert_eq!(directory.state("value", MAX).expect("nobody writes"), b"");
        fs::remove_file(&path).expect("there");
        fs::create_dir(&path).expect("made");
        assert!(matches!(directory.state("value", MAX), Err(ReadError::Io(_))));
    }

    #[test]
    fn a_directory_of_very_many_is_listed_whole() {
        let place = tempfile::tempdir().expect("a directory");
        for number in 0..2000 {
            fs::write(place.path().join(format!("{number}.of-a-long-name")), "").expect("written");
        }
        assert_eq!(OpenDirectory::open(place.path()).expect("readable").names().count(), 2000);
        let missing = OpenDirectory::open(&place.path().join("none"));
        assert!(matches!(missing, Err(ReadError::Missing)));
    }
}
