//! `apps.json`: the apps of pm2, the app of Formation that each one is, and the ids of their instances. It is replaced
//! as a whole by verbs that hold the lock; everybody may read it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use durable::{Access, Directory, ReadError};
use formation::{AppName, ProcessType, Slot};
use os_process::Identity;
use ps_apps::World;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::home::Home;

const FILE: &str = "apps.json";
const FORMAT: u32 = 1;
const MAX_BYTES: u64 = 256 << 20;
/// The process type of every instance.
const TYPE: &str = formation::FIRST_TYPE;

/// All apps.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Book {
    format: u32,
    /// The lowest id that no instance has had.
    pub(crate) next_id: u64,
    /// The apps, in the order in which they were started.
    pub(crate) apps: Vec<App>,
}

/// What one `start` made: instances of one program with one name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a field of the file")]
pub(crate) struct App {
    /// The name of our app.
    #[serde(rename = "app")]
    pub(crate) ours: String,
    /// pm2's name, which several apps may have.
    pub(crate) name: String,
    /// The script, absolute.
    pub(crate) script: PathBuf,
    /// The program and its arguments: an interpreter, or the script itself.
    pub(crate) words: Vec<String>,
    pub(crate) cwd: PathBuf,
    pub(crate) env: BTreeMap<String, String>,
    /// Whether it is shown as `cluster`.
    pub(crate) is_cluster: bool,
    /// What is shown as its port, and given as PORT.
    pub(crate) port: Option<Value>,
    /// Whether its instances are reached at that port together, and have one of their own each.
    #[serde(default)]
    pub(crate) has_address: bool,
    /// How its processes share the ports that they ask for, if they do.
    #[serde(default)]
    pub(crate) sharing: Option<Sharing>,
    /// The user and the group that it runs as, where one was said.
    #[serde(default)]
    pub(crate) account: Account,
    /// Whether an end is for good, whatever its status.
    #[serde(default)]
    pub(crate) is_left_when_it_ends: bool,
    pub(crate) out: PathBuf,
    pub(crate) err: PathBuf,
    pub(crate) pid: PathBuf,
    /// Whether all instances write into one file.
    pub(crate) merges_logs: bool,
    /// Milliseconds from SIGTERM to SIGKILL.
    pub(crate) kill_timeout: u64,
    /// The keys of its declaration, in their order, as they are shown.
    pub(crate) shown: Vec<(String, Value)>,
    /// Its instances, by id.
    pub(crate) instances: Vec<Instance>,
}

/// A user and a group, by name or number; none: the caller's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) user: Option<String>,
    pub(crate) group: Option<String>,
}

/// The options of the `ps-node` that runs above each process of a Node program in cluster mode, and of one in fork mode that is to exchange
/// messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a field of the file")]
pub(crate) struct Sharing {
    /// It listens by itself, and shares no port.
    #[serde(default)]
    pub(crate) owns_ports: bool,
    /// A process gets connections once its program has said `ready`.
    pub(crate) waits_ready: bool,
    /// The program gets the message `shutdown` before its process leaves.
    pub(crate) tells_shutdown: bool,
    /// Seconds that this may take; then the process counts as ready all the same, as in pm2. A reload waits for the word.
    #[serde(default)]
    pub(crate) ready_limit: Option<u64>,
    /// A process that does not listen is not ready, because the one before it did.
    pub(crate) must_listen: bool,
    /// A reload waits for the process.
    #[serde(default)]
    pub(crate) is_trial: bool,
    /// How many seconds connections go on once their process was told to leave.
    pub(crate) drain_seconds: u64,
}

/// One instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Instance {
    pub(crate) id: u64,
    /// The number of its slot.
    pub(crate) slot: u16,
    /// When it was started first, in milliseconds since 1970.
    pub(crate) created_at: i64,
    /// How often it was restarted by a command.
    pub(crate) restarts: u32,
}

impl Book {
    /// Reads it; an empty one if the file does not exist.
    pub(crate) fn read(home: &Home) -> Result<Self> {
        let path = home.own().join(FILE);
        let bytes = match durable::state(&path, MAX_BYTES) {
            Ok(bytes) => bytes,
            Err(ReadError::Missing) => return Ok(Self { format: FORMAT, ..Self::default() }),
            Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
        };
        let book: Self = serde_json::from_slice(&bytes).with_context(|| {
            format!("{} makes no sense: move it away, and have pm2 resurrect what was dumped", path.display())
        })?;
        if book.format > FORMAT {
            bail!("{} is of a later version of ps-pm2: use that one", path.display());
        }
        Ok(book)
    }

    /// Replaces it.
    pub(crate) fn write(&self, home: &Home) -> Result<()> {
        let json = serde_json::to_vec(self).context("the list of apps")?;
        let write = || -> Result<(), durable::WriteError> {
            let directory = Directory::open(home.directory(), &home.own())?;
            directory.write(FILE, &json, Access::like(home.directory(), 0o600))
        };
        write().with_context(|| format!("write {}", home.own().join(FILE).display()))
    }

    /// Whether `kill` was the last command that changed something.
    pub(crate) fn was_killed(&self, home: &Home) -> bool {
        self.apps.is_empty() && self.next_id == 0 && home.own().join(FILE).exists()
    }

    /// Whether there is an app of this name with this script.
    pub(crate) fn has(&self, app: &App) -> bool {
        self.apps.iter().any(|known| known.name == app.name && known.script == app.script)
    }

    /// The ids of the apps of this name with this script.
    pub(crate) fn ids_of(&self, app: &App) -> Vec<u64> {
        let same = |known: &&App| known.name == app.name && known.script == app.script;
        self.apps.iter().filter(same).flat_map(|app| &app.instances).map(|instance| instance.id).collect()
    }

    /// The app that has an instance with this id, by its place, and the instance.
    pub(crate) fn instance(&self, id: u64) -> Option<(&App, &Instance)> {
        let found = |app: &'_ App| app.instances.iter().position(|instance| instance.id == id);
        self.apps.iter().find_map(|app| Some((app, &app.instances[found(app)?])))
    }

    /// The same, to be changed.
    pub(crate) fn instance_mut(&mut self, id: u64) -> Option<&mut Instance> {
        self.apps.iter_mut().flat_map(|app| &mut app.instances).find(|instance| instance.id == id)
    }

    /// Gives the apps of these instances the variables beside those that they have, from their next start on.
    pub(crate) fn add_variables(&mut self, ids: &[u64], variables: &BTreeMap<String, String>) {
        let is_meant = |app: &&mut App| app.instances.iter().any(|instance| ids.contains(&instance.id));
        for app in self.apps.iter_mut().filter(is_meant) {
            app.env.extend(variables.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
    }

    /// New processes of an app with a `ps-node` have to prove themselves from now on, because a reload waits for them.
    pub(crate) fn begin_trial(&mut self, ours: &str, must_listen: bool) {
        self.set_trial(ours, true, must_listen);
    }

    /// They are ready by the usual rule again.
    pub(crate) fn end_trial(&mut self, ours: &str) {
        self.set_trial(ours, false, false);
    }

    fn set_trial(&mut self, ours: &str, is_trial: bool, must_listen: bool) {
        let app = self.apps.iter_mut().find(|app| app.ours == ours);
        if let Some(sharing) = app.and_then(|app| app.sharing.as_mut()) {
            (sharing.is_trial, sharing.must_listen) = (is_trial, must_listen);
        }
    }

    /// An unused name for an app of this project, made from pm2's name.
    pub(crate) fn name_for(&self, world: &World, name: &str) -> Result<AppName> {
        let text = AppName::like(name).map_or_else(|| "app".to_owned(), |name| name.to_string());
        let is_free = |word: &String| !self.apps.iter().any(|app| app.ours == *word);
        let numbered = (2..).map(|number| format!("{text}-{number}"));
        let word = std::iter::once(text.clone()).chain(numbered).filter(is_free);
        // The names of our own parts are reserved; those with a number are not.
        let mut names = word.filter_map(|word| AppName::for_new_app(&word).ok());
        names.find(|name| world.refuse_reserved(name).is_ok()).context("there are too many apps of that name")
    }
}

impl App {
    /// The name of our app.
    pub(crate) fn app_name(&self) -> Result<AppName> {
        Ok(AppName::for_new_app(&self.ours)?)
    }

    /// The variable that says which of the app's instances one is, from 0 on.
    pub(crate) fn instance_variable(&self) -> &str {
        let said = self.shown.iter().find(|(key, _)| key == "instance_var");
        let said = said.and_then(|(_, value)| value.as_str());
        let is_name = |name: &&str| !name.is_empty() && !name.contains(['=', '\0']);
        said.filter(is_name).unwrap_or("NODE_APP_INSTANCE")
    }

    /// Whether its processes share the ports that they ask for.
    pub(crate) fn shares_ports(&self) -> bool {
        self.sharing.is_some_and(|sharing| !sharing.owns_ports)
    }

    /// Where an instance writes its stdout.
    pub(crate) fn out_of(&self, id: u64) -> PathBuf {
        self.log_of(&self.out, id)
    }

    /// Where an instance writes its stderr.
    pub(crate) fn err_of(&self, id: u64) -> PathBuf {
        self.log_of(&self.err, id)
    }

    /// The file that holds the pid of an instance: `app.pid0.pid` for `app.pid`, and `app0.pid` for `app`.
    pub(crate) fn pid_of(&self, id: u64) -> PathBuf {
        format!("{}{id}.pid", self.pid.display()).into()
    }

    /// The files in which scripts look for the pid of an instance. In fork mode pm2 has all instances overwrite `app.pid`, so that one is
    /// written as well.
    pub(crate) fn pid_files_of(&self, id: u64) -> Vec<PathBuf> {
        let shared = (!self.is_cluster).then(|| self.pid.clone());
        std::iter::once(self.pid_of(id)).chain(shared).collect()
    }

    fn log_of(&self, base: &std::path::Path, id: u64) -> PathBuf {
        let path = base.to_string_lossy();
        match path.strip_suffix(".log") {
            Some(stem) if !self.merges_logs => format!("{stem}-{id}.log").into(),
            _ => base.to_owned(),
        }
    }
}

impl Account {
    /// The user and group, if any were set.
    pub(crate) fn identity(&self) -> Result<Option<Identity>> {
        if *self == Self::default() {
            return Ok(None);
        }
        Ok(Some(Identity::of(self.user.as_deref(), self.group.as_deref())?))
    }
}

impl Instance {
    /// Its slot in the app of this project.
    pub(crate) fn slot(&self) -> Slot {
        Slot::new(process_type(), self.slot)
    }
}

/// The process type of every instance.
pub(crate) fn process_type() -> ProcessType {
    TYPE.parse().expect("it is a legal name")
}
