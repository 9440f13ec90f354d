//! Wakes a reader that follows files to which other programs append.

use std::collections::{BTreeSet, HashMap};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

/// The events of entries that are made, renamed or removed, and of the directory itself.
const ENTRIES: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);
/// Events within this time wake the reader once: a file that is written line by line causes an event for each line.
const TOGETHER: Duration = Duration::from_millis(10);
/// How often files are looked at for which the system reports no events.
const LOOK: Duration = Duration::from_millis(200);
const BUFFER: usize = 16 << 10;

/// Directories of files to which other programs append. Each has a key; several may have the same.
#[derive(Debug)]
pub struct GrowthWatch<K> {
    /// `None` if the system has no inotify, or gives no further instance of it.
    inotify: Option<OwnedFd>,
    keys: HashMap<i32, K>,
    has_shortfall: bool,
}

/// The places that may have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grown<K> {
    /// In the directories of these keys.
    In(BTreeSet<K>),
    /// Anywhere: the system could not report where.
    Anywhere,
}

impl<K: Clone + Ord> Grown<K> {
    /// Whether the directories of a key may have changed.
    pub fn has(&self, key: &K) -> bool {
        match self {
            Self::In(keys) => keys.contains(key),
            Self::Anywhere => true,
        }
    }
}

impl<K: Clone + Ord> GrowthWatch<K> {
    /// Nothing is watched yet.
    pub fn new() -> Self {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok();
        Self { inotify, keys: HashMap::new(), has_shortfall: false }
    }

    /// Watches the files of a directory: those that grow, and those that are made, renamed or removed. Returns whether the
    /// directory exists. A directory that is watched already stays so.
    pub fn watch_files(&mut self, directory: &Path, key: K) -> bool {
        self.watch(directory, ENTRIES | WatchFlags::MODIFY, key)
    }

    /// Watches entries of a directory that are made, renamed or removed, but not writes to them. Returns whether the directory
    /// exists.
    pub fn watch_entries(&mut self, directory: &Path, key: K) -> bool {
        self.watch(directory, ENTRIES, key)
    }

    fn watch(&mut self, directory: &Path, flags: WatchFlags, key: K) -> bool {
        let Some(inotify) = &self.inotify else { return directory.is_dir() };
        match inotify::add_watch(inotify, directory, flags) {
            Ok(number) => {
                self.keys.insert(number, key);
                true
            }
            Err(Errno::NOENT | Errno::NOTDIR) => false,
            Err(_) => {
                self.has_shortfall = true;
                directory.is_dir()
            }
        }
    }

    /// Waits for a change, `most` at most. Files whose names begin with a dot do not count. If a directory cannot be watched,
    /// because the system gives no more watches, this returns [`Grown::Anywhere`] five times a second.
    pub fn wait(&mut self, most: Duration) -> Grown<K> {
        let Some(inotify) = self.inotify.as_ref().filter(|_| !self.has_shortfall) else {
            thread::sleep(most.min(LOOK));
            return Grown::Anywhere;
        };
        let limit = Timespec::try_from(most).ok();
        match poll(&mut [PollFd::new(inotify, PollFlags::IN)], limit.as_ref()) {
            Ok(0) | Err(Errno::INTR) => return Grown::In(BTreeSet::new()),
            Ok(_) => thread::sleep(TOGETHER),
            Err(_) => {
                self.has_shortfall = true;
                return Grown::Anywhere;
            }
        }
        self.read()
    }

    fn read(&mut self) -> Grown<K> {
        let Some(inotify) = &self.inotify else { return Grown::Anywhere };
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        let mut reader = Reader::new(inotify.as_fd(), &mut buffer);
        let (mut grown, mut missed) = (BTreeSet::new(), false);
        while let Ok(event) = reader.next() {
            let flags = event.events();
            missed |= flags.contains(ReadFlags::QUEUE_OVERFLOW);
            if event.file_name().is_some_and(|name| name.to_bytes().starts_with(b".")) {
                continue;
            }
            grown.extend(self.keys.get(&event.wd()).cloned());
            if flags.contains(ReadFlags::IGNORED) {
                self.keys.remove(&event.wd());
            }
        }
        if missed { Grown::Anywhere } else { Grown::In(grown) }
    }
}

impl<K: Clone + Ord> Default for GrowthWatch<K> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write;
    use std::path::PathBuf;

    use rustix::pipe::SpliceFlags;

    use super::*;

    /// A time limit for events that do come.
    const LONG: Duration = Duration::from_secs(60);
    const NOW: Duration = Duration::ZERO;

    fn place(name: &str) -> (tempfile::TempDir, PathBuf) {
        let place = tempfile::tempdir().expect("a directory");
        let directory = place.path().join(name);
        fs::create_dir(&directory).expect("made");
        (place, directory)
    }

    fn append(path: &Path) {
        let mut file = OpenOptions::new().append(true).create(true).open(path).expect("it opens");
        file.write_all(b"line\n").expect("written");
    }

    fn only(key: char) -> Grown<char> {
        Grown::In([key].into())
    }

    #[test]
    fn who_waits_is_told_where_a_file_has_grown_was_made_or_removed() {
        let (place, one) = place("one");
        let other = place.path().join("other");
        let mut watch = GrowthWatch::new();
        assert!(watch.watch_files(&one, '1') && !watch.watch_files(&other, '2'));
        assert_eq!(watch.wait(NOW), Grown::In(BTreeSet::new()));
        for _ in 0..3 {
            append(&one.join("log"));
            assert_eq!(watch.wait(LONG), only('1'));
        }
        append(&one.join(".hidden"));
        assert_eq!(watch.wait(NOW), Grown::In(BTreeSet::new()));
        fs::create_dir(&other).expect("made");
        assert!(watch.watch_files(&other, '2'));
        append(&other.join("log"));
        append(&one.join("log"));
        assert_eq!(watch.wait(LONG), Grown::In(['1', '2'].into()));
        fs::remove_dir_all(&one).expect("removed");
        assert_eq!(watch.wait(LONG), only('1'));
        assert!(watch.keys.values().eq(['2'].iter()), "what is gone is not watched any more");
    }

    #[test]
    fn who_waits_is_told_of_what_is_spliced_into_a_file_as_supervisors_do() {
        let (_place, one) = place("one");
        append(&one.join("log"));
        let mut watch = GrowthWatch::new();
        assert!(watch.watch_files(&one, '1'));
        let (from, to) = rustix::pipe::pipe().expect("a pipe");
        rustix::io::write(&to, b"line\n").expect("there is room");
        let log = OpenOptions::new().write(true).open(one.join("log")).expect("it opens");
        let spliced = rustix::pipe::splice(&from, None, &log, Some(&mut 5), 5, SpliceFlags::empty());
        assert_eq!(spliced, Ok(5));
        assert_eq!(watch.wait(LONG), only('1'));
    }

    #[test]
    fn entries_are_told_of_and_not_what_is_written_to_them() {
        let (_place, one) = place("one");
        append(&one.join("state"));
        let mut watch = GrowthWatch::new();
        assert!(watch.watch_entries(&one, '1'));
        append(&one.join("state"));
        assert_eq!(watch.wait(NOW), Grown::In(BTreeSet::new()));
        append(&one.join("new"));
        assert_eq!(watch.wait(LONG), only('1'));
    }

    #[test]
    fn where_the_system_does_not_tell_everything_is_looked_at() {
        let mut watch =
            GrowthWatch { inotify: None, keys: HashMap::<i32, char>::new(), has_shortfall: false };
        let (_place, one) = place("one");
        assert!(watch.watch_files(&one, '1') && !watch.watch_files(&one.join("none"), '1'));
        assert!(watch.wait(NOW) == Grown::Anywhere && Grown::Anywhere.has(&'7') && !only('1').has(&'7'));
    }
}
