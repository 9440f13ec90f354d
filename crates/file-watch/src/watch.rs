//! One inotify descriptor for all directories below some paths.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

use crate::ignored::Ignored;

/// A written file counts as changed once the writer closes it: a log that stays open is never reported.
const CHANGES: WatchFlags = WatchFlags::CLOSE_WRITE
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO);
const BUFFER: usize = 4096;

/// The watched directories and their state.
#[derive(Debug)]
pub struct FileWatch {
    base: PathBuf,
    ignored: Ignored,
    inotify: OwnedFd,
    /// The directory of each watch, relative to the base.
    directories: HashMap<i32, PathBuf>,
    /// The requested paths. Changes at or below them count. The directories above them are watched too, because a path may be
    /// made later, or removed and made again.
    wanted: BTreeSet<PathBuf>,
    /// Device and inode of the base when the watch was made.
    identity: Option<(u64, u64)>,
    most: usize,
    shortfall: Option<String>,
}

impl FileWatch {
    /// Watches these paths, which are relative to `base`: a directory with all below it, or a file. A path that does not exist is
    /// watched as soon as it is made; until then the shortfall names it. At most `most` directories are watched.
    ///
    /// # Errors
    /// There is no inotify, `base` is no directory, or a path leads out of `base`.
    pub fn of<P: AsRef<Path>>(base: &Path, paths: &[P], ignored: Ignored, most: usize) -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let (directories, wanted) = Default::default();
        fs::read_dir(base)?;
        let (base, identity) = (base.to_owned(), identity(base));
        let mut watch = Self { base, ignored, inotify, directories, wanted, identity, most, shortfall: None };
        for path in paths {
            watch.begin(path.as_ref())?;
        }
        Ok(watch)
    }

    /// Whether all requested paths are watched, in the directory that is at the base now.
    pub fn is_up_to_date(&self) -> bool {
        self.shortfall.is_none() && self.identity.is_some() && self.identity == identity(&self.base)
    }

    /// Readable once something has changed.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }

    /// Why some path is not watched although it should be, for people.
    pub fn shortfall(&self) -> Option<&str> {
        self.shortfall.as_deref()
    }

    /// The files that have changed since the last call, relative to the base, sorted; ignored files are left out. `.` means
    /// that there were more changes than the system could report.
    pub fn changes(&mut self) -> Vec<PathBuf> {
        let mut changed = BTreeSet::new();
        let (mut made, mut missed) = (Vec::new(), false);
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        let mut reader = Reader::new(&self.inotify, &mut buffer);
        // The loop ends with `WOULDBLOCK`; any other error comes again with the next change.
        while let Ok(event) = reader.next() {
            if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                missed = true;
                continue;
            }
            if event.events().contains(ReadFlags::IGNORED) {
                self.directories.remove(&event.wd());
                continue;
            }
            let Some(directory) = self.directories.get(&event.wd()) else { continue };
            let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes())).unwrap_or_default();
            let path = plain(&directory.join(name));
            let is_directory = event.events().contains(ReadFlags::ISDIR);
            let is_new = event.events().intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO);
            let leads_to_wanted = is_directory && is_new && self.leads_to_wanted(&path);
            if !leads_to_wanted && (self.ignored.has(&path) || !self.counts(&path)) {
                continue;
            }
            if is_directory && is_new {
                made.push(path);
            } else if !is_directory || !is_new {
                changed.insert(path);
            }
        }
        for directory in made {
            // Files that were written into the directory before it was watched cause no event, so they are listed.
            if self.counts(&directory) {
                changed.extend(self.add(&directory));
            }
            let below: Vec<PathBuf> = self
                .wanted
                .iter()
                .filter(|path| **path != directory && path.starts_with(&directory))
                .cloned()
                .collect();
            for path in below {
                changed.extend(self.seek(&path));
            }
        }
        if missed {
            changed.insert(PathBuf::from("."));
            // Events were lost, so new directories may have been missed.
            self.wanted.clone().iter().for_each(|path| drop(self.seek(path)));
        }
        changed.into_iter().collect()
    }

    fn begin(&mut self, path: &Path) -> io::Result<()> {
        if path.is_absolute() || path.components().any(|part| part == Component::ParentDir) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not below the app's directory"));
        }
        let path = plain(path);
        self.wanted.insert(path.clone());
        self.seek(&path);
        if let Err(error) = fs::metadata(self.base.join(&path)) {
            self.shortfall.get_or_insert_with(|| format!("{} is not there yet: {error}", path.display()));
        }
        Ok(())
    }

    /// Watches a requested path, as far as it exists, with the directories above it. Returns the files there.
    fn seek(&mut self, path: &Path) -> Vec<PathBuf> {
        let above: Vec<PathBuf> = path.ancestors().skip(1).map(Path::to_owned).collect();
        if !above.iter().rev().all(|directory| self.add_one(directory)) {
            return Vec::new();
        }
        match fs::metadata(self.base.join(path)) {
            Ok(found) if found.is_dir() => self.add(path),
            Ok(_) => vec![path.to_owned()],
            Err(_) => Vec::new(),
        }
    }

    fn counts(&self, path: &Path) -> bool {
        self.wanted.iter().any(|wanted| path.starts_with(wanted))
    }

    fn leads_to_wanted(&self, path: &Path) -> bool {
        self.wanted.iter().any(|wanted| wanted.starts_with(path))
    }

    /// Watches a directory and everything below it, and returns the files in it.
    fn add(&mut self, top: &Path) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut waiting = vec![top.to_owned()];
        while let Some(directory) = waiting.pop() {
            // The directory is watched before it is read: a file that is made in between is reported twice rather than never.
            if !self.add_one(&directory) {
                continue;
            }
            for entry in fs::read_dir(self.base.join(&directory)).into_iter().flatten().flatten() {
                let path = directory.join(entry.file_name());
                if self.ignored.has(&path) {
                    continue;
                }
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    waiting.push(path);
                } else {
                    files.push(path);
                }
            }
        }
        files
    }

    /// Watches one directory. Returns whether it is watched.
    fn add_one(&mut self, directory: &Path) -> bool {
        if self.directories.len() >= self.most {
            self.shortfall.get_or_insert_with(|| {
                format!("only {} directories are watched, and not {}", self.most, directory.display())
            });
            return false;
        }
        let flags = CHANGES | WatchFlags::ONLYDIR | WatchFlags::EXCL_UNLINK;
        match inotify::add_watch(&self.inotify, self.base.join(directory), flags) {
            Ok(number) => {
                self.directories.insert(number, directory.to_owned());
                true
            }
            // The directory has been removed again.
            Err(Errno::NOENT | Errno::NOTDIR) => false,
            Err(errno) => {
                let why = match errno {
                    Errno::NOSPC => {
                        "the system gives no more watches: raise fs.inotify.max_user_watches".to_owned()
                    }
                    errno => io::Error::from(errno).to_string(),
                };
                self.shortfall
                    .get_or_insert_with(|| format!("{} is not watched: {why}", directory.display()));
                false
            }
        }
    }
}

/// Device and inode of a directory.
fn identity(directory: &Path) -> Option<(u64, u64)> {
    fs::metadata(directory).ok().map(|it| (it.dev(), it.ino()))
}

/// A path without `.`.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(paths: &[&str], most: usize) -> (tempfile::TempDir, FileWatch) {
        let app = tempfile::tempdir().expect("a directory");
        for file in ["app.js", "src/deep/a.js", "src/b.js", "node_modules/x/y.js", "doc/c"] {
            write(&app, file);
        }
        let watch = FileWatch::of(app.path(), paths, Ignored::new(["*.tmp"]), most).expect("inotify");
        (app, watch)
    }

    fn write(app: &tempfile::TempDir, file: &str) {
        let path = app.path().join(file);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(path, "x").expect("written");
    }

    fn changes(watch: &mut FileWatch) -> Vec<String> {
        watch.changes().iter().map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn a_change_is_told_by_its_path_and_what_is_ignored_is_not() {
        let (app, mut watch) = watched(&["."], 100);
        assert_eq!(changes(&mut watch), [""; 0]);
        for file in ["src/deep/a.js", "app.js", "x.tmp", "node_modules/x/y.js", "web.log", ".git/index"] {
            write(&app, file);
        }
        assert_eq!(changes(&mut watch), ["app.js", "src/deep/a.js"]);
        fs::rename(app.path().join("app.js"), app.path().join("src/app.js")).expect("renamed");
        fs::remove_file(app.path().join("doc/c")).expect("removed");
        assert_eq!(changes(&mut watch), ["app.js", "doc/c", "src/app.js"]);
        let _ = fs::read(app.path().join("src/b.js")).expect("read");
        assert_eq!(changes(&mut watch), [""; 0], "to read is no change");
    }

    #[test]
    fn what_lies_in_a_new_directory_is_told_and_it_is_watched_from_then_on() {
        let (app, mut watch) = watched(&["src"], 100);
        write(&app, "src/new/er/x.js");
        write(&app, "doc/d");
        assert_eq!(changes(&mut watch), ["src/new/er/x.js"]);
        write(&app, "src/new/er/y.js");
        assert_eq!(changes(&mut watch), ["src/new/er/y.js"]);
        fs::remove_dir_all(app.path().join("src/new")).expect("removed");
        let told = changes(&mut watch);
        assert!(told.contains(&"src/new/er/x.js".to_owned()), "{told:?}");
        write(&app, "src/new/er/z.js");
        assert_eq!(changes(&mut watch), ["src/new/er/z.js"]);
    }

    #[test]
    fn a_single_file_is_watched_without_its_neighbours_also_when_it_is_replaced() {
        let (app, mut watch) = watched(&["app.js"], 100);
        write(&app, "other.js");
        assert_eq!(changes(&mut watch), [""; 0]);
        write(&app, "new.js");
        fs::rename(app.path().join("new.js"), app.path().join("app.js")).expect("renamed");
        assert_eq!(changes(&mut watch), ["app.js"]);
    }

    #[test]
    fn the_limit_is_said_and_what_is_within_it_is_watched() {
        let (app, mut watch) = watched(&["."], 1);
        assert!(watch.shortfall().expect("a limit").starts_with("only 1 directories are watched"));
        write(&app, "app.js");
        assert_eq!(changes(&mut watch), ["app.js"]);
        let (_app, watch) = watched(&["."], 100);
        assert_eq!(watch.shortfall(), None);
    }

    #[test]
    fn what_cannot_be_watched_is_refused() {
        let (app, _) = watched(&["."], 100);
        for path in ["../x", "/etc"] {
            assert!(FileWatch::of(app.path(), &[path], Ignored::new([]), 9).is_err(), "{path}");
        }
        assert!(FileWatch::of(&app.path().join("nope"), &["."], Ignored::new([]), 9).is_err());
    }

    #[test]
    fn what_is_not_there_yet_is_named_and_is_watched_once_it_is_made() {
        let (app, mut watch) = watched(&["app.js", "later/deep", "one.js"], 100);
        assert!(watch.shortfall().expect("named").starts_with("later/deep is not there yet"));
        write(&app, "later/other.js");
        write(&app, "app.js");
        assert_eq!(changes(&mut watch), ["app.js"]);
        write(&app, "later/deep/x.js");
        write(&app, "one.js");
        assert_eq!(changes(&mut watch), ["later/deep/x.js", "one.js"]);
        write(&app, "later/deep/x.js");
        assert_eq!(changes(&mut watch), ["later/deep/x.js"]);
    }

    #[test]
    fn a_directory_that_is_removed_and_made_again_is_still_watched() {
        let (app, mut watch) = watched(&["src"], 100);
        fs::remove_dir_all(app.path().join("src")).expect("removed");
        assert!(changes(&mut watch).contains(&"src".to_owned()));
        write(&app, "src/new.js");
        assert_eq!(changes(&mut watch), ["src/new.js"]);
        write(&app, "src/new.js");
        assert_eq!(changes(&mut watch), ["src/new.js"]);
        assert!(watch.is_up_to_date());
    }

    #[test]
    fn another_directory_at_the_same_path_is_noticed_when_somebody_asks() {
        let (app, watch) = watched(&["src"], 100);
        assert!(watch.is_up_to_date());
        fs::rename(app.path(), app.path().with_extension("old")).expect("renamed");
        assert!(!watch.is_up_to_date());
        fs::create_dir(app.path()).expect("made");
        assert!(!watch.is_up_to_date());
        fs::remove_dir_all(app.path().with_extension("old")).expect("removed");
    }

    #[test]
    fn a_storm_is_a_list_in_which_each_file_stands_once() {
        let (app, mut watch) = watched(&["."], 100);
        for number in 0..2_000 {
            write(&app, &format!("src/{}.js", number % 100));
        }
        assert_eq!(changes(&mut watch).len(), 100);
    }
}
