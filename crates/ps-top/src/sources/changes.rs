//! Finds out which apps exist, and which of them have changed: the system reports files that are written.

use std::collections::{BTreeSet, HashMap};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::Duration;

use formation::AppName;
use ps_apps::World;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

use super::askers::Askers;
use super::journals::Journals;
use super::scope::Scope;
use super::thread::spawn;
use crate::message::Message;

const FLAGS: WatchFlags = WatchFlags::MODIFY
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::ONLYDIR);
/// What is written at the same time is read once.
const TOGETHER: Duration = Duration::from_millis(50);
/// While not all directories are there, they are looked for again after this time.
const AGAIN: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };
/// The file in which a supervisor keeps how its instances are. Whatever else is only written to, and not made or renamed, says nothing.
const STATE: &str = "state";
const JOURNAL: &str = "journal";
const SERVICES: &str = "data/scheduler-native";
const KEPT: &str = "data/formation";

/// What a directory that is watched holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Holds {
    /// The apps, or directories of each.
    Apps,
    /// What a supervisor writes.
    Service(AppName),
    /// The journal.
    Journal(AppName),
}

/// What watches.
pub(crate) struct Changes {
    world: World,
    scope: Scope,
    inotify: OwnedFd,
    watched: HashMap<i32, Holds>,
    apps: BTreeSet<AppName>,
    has_shortfall: bool,
}

/// What has changed.
#[derive(Debug, Default)]
struct Changed {
    /// Whether apps may have come or gone.
    apps: bool,
    states: BTreeSet<AppName>,
    journals: BTreeSet<AppName>,
}

impl Changes {
    /// Begins to watch, in a thread. Each app is asked for once.
    pub(crate) fn begin(
        world: &World,
        scope: Scope,
        askers: Arc<Askers>,
        journals: Journals,
        to: SyncSender<Message>,
    ) {
        let (world, last) = (world.clone(), to.clone());
        spawn("changes", &last, move || {
            let inotify = match inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK) {
                Ok(inotify) => inotify,
                Err(errno) => {
                    let _ = to.send(Message::Shortfall(format!("changes are not told ({errno})")));
                    return Self::list_once(&world, &scope, &askers, &to);
                }
            };
            let (watched, apps) = Default::default();
            let mut changes = Self { world, scope, inotify, watched, apps, has_shortfall: false };
            changes.run(&askers, &journals, &to);
        });
    }

    fn list_once(world: &World, scope: &Scope, askers: &Askers, to: &SyncSender<Message>) {
        let apps = listed(world, scope);
        let _ = to.send(Message::Apps(apps.clone()));
        for app in &apps {
            askers.ask(app);
        }
    }

    fn run(&mut self, askers: &Askers, journals: &Journals, to: &SyncSender<Message>) {
        let mut changed = Changed { apps: true, ..Changed::default() };
        loop {
            let mut all_there = true;
            if changed.apps {
                all_there = self.watch_parents(to);
                changed.states.extend(self.list(to, askers));
            }
            for app in &changed.states {
                askers.ask(app);
            }
            for app in &changed.journals {
                journals.changed(app);
                if !askers.is_native(app) {
                    askers.ask(app);
                }
            }
            changed = self.wait(if all_there { None } else { Some(&AGAIN) });
            changed.apps |= !all_there;
        }
    }

    /// Lists the apps; those that are new.
    fn list(&mut self, to: &SyncSender<Message>, askers: &Askers) -> Vec<AppName> {
        let apps: BTreeSet<AppName> = listed(&self.world, &self.scope).into_iter().collect();
        if apps != self.apps || apps.is_empty() {
            askers.retain(&apps);
            let _ = to.send(Message::Apps(apps.iter().cloned().collect()));
        }
        let before = std::mem::replace(&mut self.apps, apps);
        let new: Vec<AppName> = self.apps.difference(&before).cloned().collect();
        // Their answers need not wait for the watches of a thousand others.
        for app in &new {
            self.watch_app(app, to);
        }
        new
    }

    fn watch_parents(&mut self, to: &SyncSender<Message>) -> bool {
        let lib = self.world.lib().to_owned();
        let parents = [self.world.root().to_owned(), lib.join(SERVICES), lib.join(KEPT)];
        let missing = parents.iter().filter(|parent| !self.watch(parent, Holds::Apps, to)).count();
        missing == 0
    }

    fn watch_app(&mut self, app: &AppName, to: &SyncSender<Message>) {
        let service = self.world.data_dir("scheduler-native", app);
        self.watch(&service, Holds::Service(app.clone()), to);
        let kept = self.world.kept_dir(app);
        self.watch(&kept, Holds::Journal(app.clone()), to);
    }

    /// Watches a directory, also if it is watched already. Whether it is there.
    fn watch(&mut self, directory: &Path, holds: Holds, to: &SyncSender<Message>) -> bool {
        match inotify::add_watch(&self.inotify, directory, FLAGS) {
            Ok(number) => {
                self.watched.insert(number, holds);
                true
            }
            Err(Errno::NOENT | Errno::NOTDIR) => false,
            Err(errno) => {
                if !std::mem::replace(&mut self.has_shortfall, true) {
                    let cure = if errno == Errno::NOSPC { ": raise fs.inotify.max_user_watches" } else { "" };
                    let _ =
                        to.send(Message::Shortfall(format!("looks again only every 5 s ({errno}{cure})")));
                }
                true
            }
        }
    }

    /// Waits until something has changed, and for what comes with it.
    fn wait(&mut self, limit: Option<&Timespec>) -> Changed {
        let mut changed = Changed::default();
        let mut fds = [PollFd::new(&self.inotify, PollFlags::IN)];
        if poll(&mut fds, limit).is_ok_and(|ready| ready > 0) {
            thread::sleep(TOGETHER);
            self.read(&mut changed);
        }
        changed
    }

    fn read(&mut self, changed: &mut Changed) {
        let mut buffer = [MaybeUninit::uninit(); 8192];
        let mut new = Vec::new();
        {
            let mut reader = Reader::new(self.inotify.as_fd(), &mut buffer);
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
        }
        // The directory of an app that was known before may have come only now.
        for app in new {
            if self.apps.contains(&app) {
                let service = self.world.data_dir("scheduler-native", &app);
                let kept = self.world.kept_dir(&app);
                for (directory, holds) in
                    [(service, Holds::Service(app.clone())), (kept, Holds::Journal(app.clone()))]
                {
                    if let Ok(number) = inotify::add_watch(&self.inotify, directory, FLAGS) {
                        self.watched.insert(number, holds);
                    }
                }
                changed.states.insert(app.clone());
                changed.journals.insert(app);
            }
        }
    }
}

/// The apps that are there and meant.
fn listed(world: &World, scope: &Scope) -> Vec<AppName> {
    let all: Vec<AppName> = world.apps().unwrap_or_default().into_iter().map(|app| app.name).collect();
    match scope {
        Scope::All => ps_triggers::visible(world, all).unwrap_or_default(),
        Scope::These(these) => all.into_iter().filter(|app| these.contains(app)).collect(),
    }
}
