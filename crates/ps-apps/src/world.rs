//! The root directories of apps. A program determines its [`World`] once from its environment and passes it to every function; no
//! other code asks for a root directory. A test makes a `World` of its own in a temporary directory.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use durable::{Directory, Syncs, WriteError};
use formation::AppName;

use crate::Error;
use crate::places;
use crate::scope::Scope;

/// The directory in `data/` for Formation's own files, and for the locks of all apps.
pub(crate) const KEPT: &str = "formation";

/// A variable of this process's environment. An empty one counts as not set: `PLUGIN_PATH= ps-report` means the same as `env -u
/// PLUGIN_PATH ps-report`. All programs read variables with this function.
pub fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// Whether Dokku's front-end called us: it sets both variables.
pub fn inside_dokku() -> bool {
    is_dokkus(&variable)
}

fn is_dokkus(variable: &dyn Fn(&str) -> Option<OsString>) -> bool {
    variable("PLUGIN_PATH").is_some() && variable("DOKKU_SYSTEM_USER").is_some()
}

/// The two roots, the plugins, and whether Dokku's front-end called us.
#[derive(Clone, Debug)]
pub struct World {
    root: PathBuf,
    lib: PathBuf,
    plugins: PathBuf,
    inside_dokku: bool,
    list: Option<PathBuf>,
    /// Collects files that are to be made durable together; `None`: each file is synced when it is written.
    syncs: Option<Syncs>,
}

impl World {
    /// The directories of this process: `DOKKU_ROOT` and `DOKKU_LIB_ROOT` if set; else
    /// `/var/lib/formation/{home,lib}` for root and `${XDG_STATE_HOME:-~/.local/state}/formation/{home,lib}` for
    /// any other user.
    pub fn from_env() -> Result<Self, Error> {
        Self::from_variables(&variable)
    }

    fn from_variables(variable: &dyn Fn(&str) -> Option<OsString>) -> Result<Self, Error> {
        let given = |name| variable(name).map(|path| absolute(PathBuf::from(path)));
        let (root, lib) = match (given("DOKKU_ROOT"), given("DOKKU_LIB_ROOT")) {
            (Some(root), Some(lib)) => (root, lib),
            (root, lib) => {
                let base = places::usual(variable)?;
                (root.unwrap_or_else(|| base.join("home")), lib.unwrap_or_else(|| base.join("lib")))
            }
        };
        let plugins = given("PLUGIN_PATH").unwrap_or_else(|| lib.join("plugins"));
        Ok(Self {
            root,
            lib,
            plugins,
            inside_dokku: is_dokkus(variable),
            list: places::list(variable),
            syncs: None,
        })
    }

    /// A `World` with these directories, outside Dokku, which is in no list of worlds.
    pub fn new(root: impl Into<PathBuf>, lib: impl Into<PathBuf>) -> Self {
        let lib = lib.into();
        Self {
            root: root.into(),
            plugins: lib.join("plugins"),
            lib,
            inside_dokku: false,
            list: None,
            syncs: None,
        }
    }

    /// The same world, which is added to the list of worlds in that directory when it gets its first app.
    pub(crate) fn listed_in(self, list: Option<PathBuf>) -> Self {
        Self { list, ..self }
    }

    /// The same world, whose writes become durable only when `syncs` are finished.
    pub(crate) fn with(&self, syncs: &Syncs) -> Self {
        Self { syncs: Some(syncs.clone()), ..self.clone() }
    }

    /// A directory below `$DOKKU_LIB_ROOT`, open for changes.
    pub(crate) fn open_for_changes(&self, path: &Path) -> Result<Directory, WriteError> {
        match &self.syncs {
            Some(syncs) => Directory::open_with(&self.lib, path, syncs),
            None => Directory::open(&self.lib, path),
        }
    }

    /// The directory of the list of worlds to which this world is added; `None` if it is added to none.
    pub(crate) fn list(&self) -> Option<&Path> {
        self.list.as_deref()
    }

    /// `$DOKKU_ROOT`: one directory for each app.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `$DOKKU_LIB_ROOT`: properties and data.
    pub fn lib(&self) -> &Path {
        &self.lib
    }

    /// `$PLUGIN_PATH`: below it, `enabled/*/<trigger>` are the triggers.
    pub fn plugins(&self) -> &Path {
        &self.plugins
    }

    /// Whether Dokku's front-end called us. Only then its streams, texts and defaults are used.
    pub fn inside_dokku(&self) -> bool {
        self.inside_dokku
    }

    /// `$DOKKU_ROOT/<app>`.
    pub fn app_dir(&self, app: &AppName) -> PathBuf {
        self.root.join(app.as_str())
    }

    /// `$DOKKU_ROOT/<app>/tls`, where Dokku's plugin certs keeps an app's `server.crt` and `server.key`.
    pub fn certificates(&self, app: &AppName) -> PathBuf {
        self.app_dir(app).join("tls")
    }

    /// `$DOKKU_LIB_ROOT/config/<plugin>/<app or --global>`.
    pub fn config_dir(&self, plugin: &str, scope: Scope<'_>) -> PathBuf {
        self.lib.join("config").join(plugin).join(scope.as_str())
    }

    /// `$DOKKU_LIB_ROOT/data/<plugin>/<app>`.
    pub fn data_dir(&self, plugin: &str, app: &AppName) -> PathBuf {
        self.lib.join("data").join(plugin).join(app.as_str())
    }

    /// Formation's own files about an app, `data/formation/<app>`. The locks of all apps are beside these directories. An
    /// app whose name ends like a lock file has its directory under a name that no app can have.
    pub fn kept_dir(&self, app: &AppName) -> PathBuf {
        let directory = self.data_dir(KEPT, app);
        let is_like_a_lock = app.as_str().strip_suffix(".lock").is_some();
        if is_like_a_lock { directory.with_file_name(format!("{app}~")) } else { directory }
    }

    /// The directory in which the Node programs of an app in pm2's cluster mode share their ports,
    /// `data/formation/<app>/node-sockets`.
    pub fn node_sockets(&self, app: &AppName) -> PathBuf {
        self.kept_dir(app).join("node-sockets")
    }

    /// The directory of `ps-web`, `data/formation-web`: its socket, and the use of CPU and memory (`usage`).
    pub fn web_dir(&self) -> PathBuf {
        self.lib.join("data/formation-web")
    }

    /// The Procfile of the last deploy, `data/ps/<app>/Procfile`.
    pub fn procfile_path(&self, app: &AppName) -> PathBuf {
        self.data_dir("ps", app).join("Procfile")
    }

    /// The app.json of the last deploy, `data/app-json/<app>/app.json`.
    pub fn app_json_path(&self, app: &AppName) -> PathBuf {
        self.data_dir("app-json", app).join("app.json")
    }
}

fn absolute(path: PathBuf) -> PathBuf {
    // A trailing slash, which shells add in completion, is removed: apps and containers are labelled with the directory, so it must
    // always have the same name.
    std::path::absolute(&path).unwrap_or(path).components().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_variables_decide_and_the_front_end_is_recognised_by_both_of_its_own() {
        let set = |names: &'static [(&str, &str)]| {
            move |name: &str| names.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value))
        };
        let own =
            World::from_variables(&set(&[("DOKKU_ROOT", "/r"), ("DOKKU_LIB_ROOT", "/l")])).expect("roots");
        assert_eq!((own.root(), own.plugins()), (Path::new("/r"), Path::new("/l/plugins")));
        assert!(!own.inside_dokku());
        let dokku = World::from_variables(&set(&[
            ("DOKKU_ROOT", "/r"),
            ("DOKKU_LIB_ROOT", "/l"),
            ("PLUGIN_PATH", "/p"),
            ("DOKKU_SYSTEM_USER", "dokku"),
        ]));
        assert!(dokku.expect("roots").inside_dokku());
    }

    #[test]
    fn a_root_has_one_name_however_it_was_typed() {
        for typed in ["/r/home", "/r/home/", "/r//home/.", "/r/./home//"] {
            let variable = |name: &str| {
                let path = if name == "DOKKU_ROOT" { typed } else { "/l" };
                name.ends_with("ROOT").then(|| OsString::from(path))
            };
            let world = World::from_variables(&variable).expect("roots");
            assert_eq!(world.root().as_os_str(), "/r/home", "{typed}");
        }
    }
}
