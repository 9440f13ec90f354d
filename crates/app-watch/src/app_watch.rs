//! One inotify descriptor for the directories of all apps.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;
use std::thread;
use std::time::Duration;

use formation::AppName;
use ps_apps::World;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

const FLAGS: WatchFlags = WatchFlags::MODIFY
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::ONLYDIR);
/// The file in which a supervisor writes the states of its instances. Writing to any other file, without making or renaming it, is not
/// a change.
const STATE: &str = "state";
const JOURNAL: &str = "journal";
const NATIVE: &str = "scheduler-native";
const PARENTS: [&str; 2] = ["data/scheduler-native", "data/formation"];
const BUFFER: usize = 8192;
/// Changes within this time after a first one are reported together with it.
pub const TOGETHER: Duration = Duration::from_millis(50);

/// The content of a watched directory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Holds {
    /// The directories of all apps.
    Apps,
    /// The files of a supervisor.
    Service(AppName),
    /// The journal.
    Journal(AppName),
}

/// Watches the directories of apps.
#[derive(Debug)]
pub struct AppWatch {
    world: World,
    inotify: OwnedFd,
    watched: HashMap<i32, Holds>,
    apps: BTreeSet<AppName>,
    shortfall: Option<String>,
}

/// The changes since the last call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Whether apps may have come or gone.
    pub apps: bool,
    /// The native apps whose instances may have changed.
    pub states: BTreeSet<AppName>,
    /// The apps whose journal is longer.
    pub journals: BTreeSet<AppName>,
}

impl AppWatch {
    /// Nothing is watched yet.
    ///
    /// # Errors
    /// There is no inotify, or no instance of it is left (`fs.inotify.max_user_instances`).
    pub fn new(world: &World) -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let (watched, apps, shortfall) = Default::default();
        Ok(Self { world: world.clone(), inotify, watched, apps, shortfall })
    }

    /// Watches for apps that come and go. Returns whether all directories that contain apps exist: before the first app, none does. The
    /// next call looks for the missing ones again.
    pub fn watch_parents(&mut self) -> bool {
        let mut are_all_there = true;
        for parent in [self.world.root().to_owned()]
            .into_iter()
            .chain(PARENTS.map(|below| self.world.lib().join(below)))
        {
            are_all_there &= self.watch(&parent, Holds::Apps);
        }
        are_all_there
    }

    /// Watches these existing apps, and forgets all others. Returns those that were not watched before.
    pub fn know(&mut self, apps: BTreeSet<AppName>) -> Vec<AppName> {
        let before = std::mem::replace(&mut self.apps, apps);
        let new: Vec<AppName> = self.apps.difference(&before).cloned().collect();
        for app in &new {
            self.watch_app(app);
        }
        new
    }

    /// The apps that are watched.
    pub fn apps(&self) -> &BTreeSet<AppName> {
        &self.apps
    }

    /// Why some directory is not watched although it should be, for people.
    pub fn shortfall(&self) -> Option<&str> {
        self.shortfall.as_deref()
    }

    /// Waits for a change, `most` at most, and then a moment longer for further ones ([`TOGETHER`]).
    pub fn wait(&mut self, most: Option<Duration>) -> Changed {
        let limit = most.and_then(|most| Timespec::try_from(most).ok());
        let mut fds = [PollFd::new(&self.inotify, PollFlags::IN)];
        if !poll(&mut fds, limit.as_ref()).is_ok_and(|ready| ready > 0) {
            return Changed::default();
        }
        thread::sleep(TOGETHER);
        self.read()
    }

    /// The changes since the last call, without waiting. The descriptor is readable if there are any.
    pub fn read(&mut self) -> Changed {
        let (mut changed, mut new) = (Changed::default(), Vec::new());
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        let mut reader = Reader::new(&self.inotify, &mut buffer);
        // The loop ends with `WOULDBLOCK`; any other error comes again with the next change.
        while let Ok(event) = reader.next() {
            let flags = event.events();
            if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                changed.apps = true;
                changed.states.extend(self.apps.iter().cloned());
                continue;
            }
            if flags.contains(ReadFlags::IGNORED) {
                self.watched.remove(&event.wd());
                continue;
            }
            let name = event.file_name().and_then(|name| name.to_str().ok()).unwrap_or_default();
            match self.watched.get(&event.wd()) {
                Some(Holds::Apps) if flags.contains(ReadFlags::ISDIR) => {
                    changed.apps = true;
                    new.extend(name.parse::<AppName>());
                }
                Some(Holds::Service(app)) if name == STATE || !flags.contains(ReadFlags::MODIFY) => {
                    changed.states.insert(app.clone());
                }
                Some(Holds::Journal(app)) if name == JOURNAL => {
                    changed.journals.insert(app.clone());
                }
                Some(_) | None => (),
            }
        }
        // A further directory of a known app may exist only now.
        for app in new {
            if self.apps.contains(&app) {
                self.watch_app(&app);
                changed.states.insert(app.clone());
                changed.journals.insert(app);
            }
        }
        changed
    }

    fn watch_app(&mut self, app: &AppName) {
        let service = self.world.data_dir(NATIVE, app);
        self.watch(&service, Holds::Service(app.clone()));
        let kept = self.world.kept_dir(app);
        self.watch(&kept, Holds::Journal(app.clone()));
    }

    /// Watches a directory, also if it is watched already. Returns whether it exists.
    fn watch(&mut self, directory: &Path, holds: Holds) -> bool {
        match inotify::add_watch(&self.inotify, directory, FLAGS) {
            Ok(number) => {
                self.watched.insert(number, holds);
                true
            }
            Err(Errno::NOENT | Errno::NOTDIR) => false,
            Err(errno) => {
                let cure = if errno == Errno::NOSPC { ": raise fs.inotify.max_user_watches" } else { "" };
                self.shortfall.get_or_insert_with(|| format!("{errno}{cure}"));
                true
            }
        }
    }
}

impl AsFd for AppWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

impl AsRawFd for AppWatch {
    fn as_raw_fd(&self) -> RawFd {
        self.inotify.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn name(word: &str) -> AppName {
        word.parse().expect("a name")
    }

    fn place() -> (tempfile::TempDir, World) {
        let place = tempfile::tempdir().expect("a directory");
        let world = World::new(place.path().join("home"), place.path().join("lib"));
        (place, world)
    }

    fn write(directory: &Path, file: &str) {
        fs::create_dir_all(directory).expect("made");
        fs::write(directory.join(file), "1").expect("written");
    }

    #[test]
    fn an_app_is_told_of_when_its_state_or_its_journal_is_written_and_not_its_neighbour() {
        let (_place, world) = place();
        let [shop, blog] = ["shop", "blog"].map(name);
        for app in [&shop, &blog] {
            fs::create_dir_all(world.app_dir(app)).expect("made");
            write(&world.data_dir(NATIVE, app), STATE);
            write(&world.data_dir(NATIVE, app), "supervisor.log");
            write(&world.kept_dir(app), JOURNAL);
        }
        let mut watch = AppWatch::new(&world).expect("inotify");
        assert!(watch.watch_parents());
        assert_eq!(watch.know([shop.clone(), blog.clone()].into()), [blog.clone(), shop.clone()]);
        assert_eq!(watch.read(), Changed::default());
        // The supervisor's log changes no row.
        write(&world.data_dir(NATIVE, &shop), "supervisor.log");
        write(&world.kept_dir(&shop), "other");
        assert_eq!(watch.read(), Changed::default());
        write(&world.data_dir(NATIVE, &shop), STATE);
        assert_eq!(watch.read(), Changed { states: [shop.clone()].into(), ..Changed::default() });
        write(&world.kept_dir(&blog), JOURNAL);
        assert_eq!(watch.read(), Changed { journals: [blog.clone()].into(), ..Changed::default() });
        assert_eq!(watch.shortfall(), None);
        assert_eq!(watch.know([blog].into()), [], "an app that is gone is not new");
    }

    #[test]
    fn an_app_that_was_removed_and_made_again_is_watched_again() {
        let (_place, world) = place();
        let shop = name("shop");
        let mut watch = AppWatch::new(&world).expect("inotify");
        assert!(!watch.watch_parents(), "nothing is there yet");
        fs::create_dir_all(world.app_dir(&shop)).expect("made");
        for _ in 0..2 {
            write(&world.data_dir(NATIVE, &shop), STATE);
            write(&world.kept_dir(&shop), JOURNAL);
            assert!(watch.watch_parents());
            watch.know([shop.clone()].into());
            watch.read();
            write(&world.data_dir(NATIVE, &shop), STATE);
            assert_eq!(watch.read().states, [shop.clone()].into());
            fs::remove_dir_all(world.data_dir(NATIVE, &shop)).expect("removed");
            assert!(watch.read().apps);
        }
        assert_eq!(watch.watched.len(), 4, "what is gone is not watched any more: {:?}", watch.watched);
    }
}
