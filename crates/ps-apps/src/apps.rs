//! Which apps exist, and how an app is created and destroyed (docs/contract.md#apps). An app exists if its directory in
//! `$DOKKU_ROOT` exists, whatever else is recorded about it.

use std::fs;
use std::io;
use std::path::Path;

use durable::Syncs;
use formation::AppName;

use crate::scope::Scope;
use crate::world::KEPT;
use crate::{Error, OtherRoot, SchedulerName, World};

/// Names that a new app may not have, because `config/<name>` or `data/<name>` belongs to a plugin: an app called `ps` would
/// keep its `ENV` among the properties of the plugin `ps`. They are refused even if that directory does not exist yet.
const RESERVED: &[&str] = &[
    "all",
    "app-json",
    "apps",
    "builder",
    "builds",
    "certs",
    "checks",
    "common",
    "config",
    "cron",
    "dead-containers",
    "dead-images",
    "docker-options",
    "domains",
    "formation",
    "git",
    "letsencrypt",
    "logs",
    "network",
    "nginx-vhosts",
    "plugin",
    "ports",
    "proxy",
    "ps",
    "registry",
    "resource",
    "retire",
    "scheduler",
    "scheduler-docker-local",
    "scheduler-k3s",
    "scheduler-native",
    "storage",
    "traefik",
];

const REMOVAL_TRIES: usize = 100;

/// An app that existed when it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct App {
    /// Its name.
    pub name: AppName,
}

impl World {
    /// The app of that name; [`Error::NoSuchApp`] if its directory is not there.
    pub fn app(&self, word: &str) -> Result<App, Error> {
        let name: AppName = word.parse()?;
        if self.is_app(&name)? { Ok(App { name }) } else { Err(self.no_such_app(&name)) }
    }

    /// Whether the app's directory exists; an error if that cannot be found out.
    pub fn is_app(&self, name: &AppName) -> Result<bool, Error> {
        let path = self.app_dir(name);
        match fs::metadata(&path) {
            Ok(metadata) => Ok(metadata.is_dir()),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(false)
            }
            Err(error) => Err(Error::io("read", &path, error)),
        }
    }

    /// Every app, sorted by name: directories, or symlinks to one, that do not begin with a dot or an uppercase letter.
    pub fn apps(&self) -> Result<Vec<App>, Error> {
        let entries = match fs::read_dir(self.root()) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::io("read", self.root(), error)),
        };
        let mut apps = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| Error::io("read", self.root(), error))?;
            let name = entry.file_name().to_str().and_then(|word| word.parse().ok());
            if let Some(name) = name.filter(|_| is_directory(&entry)) {
                apps.push(App { name });
            }
        }
        apps.sort();
        Ok(apps)
    }

    /// Creates an app with the formation `web=1`; an existing app stays unchanged. The app's directory is made last, because
    /// it is what makes the app exist; if it cannot be made, everything else is removed again.
    pub fn create_app(&self, name: &AppName) -> Result<App, Error> {
        if self.is_app(name)? {
            return Ok(App { name: name.clone() });
        }
        let name = AppName::for_new_app(name.as_str())?;
        self.refuse_reserved(&name)?;
        durable::create_root(self.root()).map_err(Error::no_place)?;
        durable::create_root(self.lib()).map_err(Error::no_place)?;
        let data = self.data_dir("ps", &name);
        let is_begun = data.is_dir() || self.config_dir("ps", Scope::App(&name)).is_dir();
        let syncs = if is_begun { Syncs::of_a_later_try() } else { Syncs::default() };
        let made = durable::create_below_with(self.lib(), &data, &syncs)
            .map_err(Error::from)
            .and_then(|()| self.with(&syncs).create_formation(&name))
            .and_then(|()| Ok(syncs.finish()?))
            .and_then(|()| Ok(durable::create_below(self.root(), &self.app_dir(&name))?));
        if made.is_err() {
            let _ = remove_tree(&self.config_dir("ps", Scope::App(&name)));
            let _ = remove_tree(&data);
        }
        made?;
        self.note();
        Ok(App { name })
    }

    /// Removes all data of an app: its directory first, because without it the app no longer exists, then its data and its
    /// properties of every plugin. Missing files are no error. If another `DOKKU_LIB_ROOT` has the app as well, the app's
    /// directory stays, and that other root is returned.
    pub fn destroy_app(&self, name: &AppName) -> Result<Option<OtherRoot>, Error> {
        let other = self.leave_app(name, remove_tree)?;
        self.forget_kept(name)?;
        for kind in ["config", "data"] {
            let base = self.lib().join(kind);
            for plugin in directories(&base)? {
                // The locks of all apps lie in `data/formation`, and an app may have the name of a lock file.
                if !plugin.ends_with(Path::new("data").join(KEPT)) {
                    remove_tree(&plugin.join(name.as_str()))?;
                }
            }
        }
        remove_tree(&self.lib().join("config").join(name.as_str()))?;
        Ok(other)
    }

    /// Refuses a name for a new app if Formation, Dokku or a plugin keeps files of its own under that name.
    ///
    /// # Errors
    /// [`Error::ReservedAppName`], or the directories cannot be read.
    pub fn refuse_reserved(&self, name: &AppName) -> Result<(), Error> {
        let refuse =
            |reason: &str| Err(Error::ReservedAppName { app: name.to_string(), reason: reason.to_owned() });
        if RESERVED.contains(&name.as_str()) {
            return refuse("the name belongs to a part of Formation or Dokku");
        }
        if self.lib().join("data").join(name.as_str()).is_dir() {
            return refuse("a plugin keeps its data under that name");
        }
        // `config/` has two kinds of directories: `config/<app>`, with the app's ENV file, and `config/<plugin>`, with a
        // directory for each app.
        let config = self.lib().join("config").join(name.as_str());
        if directories(&config)?.iter().any(|dir| !dir.ends_with(".stage")) {
            return refuse("a plugin keeps its properties under that name");
        }
        Ok(())
    }

    pub(crate) fn no_such_app(&self, name: &AppName) -> Error {
        let elsewhere = Path::new("/home/dokku").join(name.as_str());
        let is_dokkus = !self.inside_dokku() && self.root() != Path::new("/home/dokku") && elsewhere.is_dir();
        let hint = if is_dokkus {
            format!("; a Dokku here has it: dokku ps:report {name}")
        } else {
            self.elsewhere(name)
        };
        Error::NoSuchApp { app: name.to_string(), searched: self.root().to_owned(), hint }
    }

    /// A hint that names another world that has the app; empty if no other world has it.
    fn elsewhere(&self, name: &AppName) -> String {
        let others = if self.inside_dokku() { Vec::new() } else { self.others() };
        let has_it = others.iter().find(|world| world.is_app(name).unwrap_or(false));
        has_it.map(|world| format!("; another world has it: --world {}", world.name())).unwrap_or_default()
    }

    /// Whether the app was deployed, as far as files say: `config/common/<app>/deployed` is `true`. If that file was never
    /// written, an app of docker-local was deployed if it has `CONTAINER.*` files, as in Dokku's docker-local. `None`: only
    /// the plugin of its scheduler knows; `ps_dokku::is_deployed` asks that plugin too.
    pub fn recorded_as_deployed(&self, name: &AppName) -> Result<Option<bool>, Error> {
        let word = self.property("common", Scope::App(name), "deployed");
        if matches!(&word, Ok(Some(word)) if word == "true") || self.is_half_recorded(name) {
            return Ok(Some(true));
        }
        if word?.is_some_and(|word| !word.is_empty()) {
            return Ok(Some(false));
        }
        Ok(match self.scheduler_name(name)? {
            SchedulerName::DockerLocal => Some(self.has_containers(name)),
            SchedulerName::Native | SchedulerName::Swarm if !self.inside_dokku() => Some(false),
            SchedulerName::Native | SchedulerName::Swarm | SchedulerName::External(_) => None,
        })
    }
}

fn is_directory(entry: &fs::DirEntry) -> bool {
    match entry.file_type() {
        Ok(kind) if kind.is_symlink() => entry.path().is_dir(),
        Ok(kind) => kind.is_dir(),
        Err(_) => false,
    }
}

fn directories(path: &Path) -> Result<Vec<std::path::PathBuf>, Error> {
    match fs::read_dir(path) {
        Ok(entries) => Ok(entries.flatten().filter(is_directory).map(|entry| entry.path()).collect()),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(Vec::new())
        }
        Err(error) => Err(Error::io("read", path, error)),
    }
}

/// Removes a directory with its content, again and again if files keep appearing in it, because a writer may not have
/// noticed yet that the app is gone. A missing directory is no error.
pub(crate) fn remove_tree(path: &Path) -> Result<(), Error> {
    for _ in 0..REMOVAL_TRIES {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => (),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Error::io("remove", path, error)),
            // Without this sync the directory could be there again after a power failure.
            Ok(()) => return sync_parent(path),
        }
    }
    Err(Error::io("remove", path, io::ErrorKind::DirectoryNotEmpty))
}

fn sync_parent(path: &Path) -> Result<(), Error> {
    match path.parent().map(fs::File::open) {
        Some(Ok(parent)) => parent.sync_all().map_err(|error| Error::io("sync", path, error)),
        // The parent is gone too. The program that removed it has to sync its own parent.
        _ => Ok(()),
    }
}
