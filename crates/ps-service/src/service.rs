//! The service directory of one app.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use durable::{Access, Directory, OpenDirectory, ReadError};
use formation::{AppName, Slot};
use os_process::{Activity, Stat};
use ps_apps::World;
use ps_scheduler::Error;
use ps_supervisor::{
    BALANCE_SOCKET, Client, FIRST_SPEC_FILE, Message, NEXT_FILE, Next, ROLLOUT_FILE, Request, SPEC_FILE,
    Spec, Status, Statuses,
};
use rustix::fs::FlockOperation;

use crate::pause::Pause;

const PLUGIN: &str = "scheduler-native";
const LOCK_FILE: &str = "lock";
/// How long a supervisor may take to send its spec.
const ANSWER: Duration = Duration::from_secs(10);

/// The file that a deploy is committed with, below `DOKKU_LIB_ROOT`.
pub fn witness(app: &AppName) -> PathBuf {
    Path::new("data").join(PLUGIN).join(app.as_str()).join(SPEC_FILE)
}

/// The service directory of one app.
#[derive(Clone, Debug)]
pub struct Service {
    /// The app.
    pub app: AppName,
    /// The directory, which need not exist.
    pub directory: PathBuf,
    /// The directories of apps.
    pub world: World,
    supervise: Option<PathBuf>,
}

/// The content of a service directory, listed once.
#[derive(Debug, Default)]
pub struct Listing {
    /// The slots that have a directory.
    pub slots: Vec<Slot>,
    /// Whether a rollout is under way, or is over and its outcome was not reported yet.
    pub is_rolling: bool,
    /// Whether there is a spec of the first format.
    pub has_first_spec: bool,
    /// Whether a `ps-balance` has a socket there, to which questions about connections are sent.
    pub has_balance: bool,
    /// The directory, opened; `None` if it does not exist.
    opened: Option<OpenDirectory>,
}

impl Listing {
    /// Whether the directory exists.
    pub fn is_there(&self) -> bool {
        self.opened.is_some()
    }
}

impl Service {
    /// The service directory of an app. `supervise` is the program of its supervisor, if that is not the one beside the running
    /// program or on `PATH`.
    pub fn of(world: &World, app: &AppName, supervise: Option<&Path>) -> Self {
        let directory = world.data_dir(PLUGIN, app);
        let supervise = supervise.map(Path::to_owned);
        Self { app: app.clone(), directory, world: world.clone(), supervise }
    }

    /// The apps that have a service directory.
    pub fn apps(world: &World) -> Result<Vec<AppName>, Error> {
        let parent = world.lib().join("data").join(PLUGIN);
        let entries = match fs::read_dir(&parent) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| backend(format!("read {}", parent.display()), &error))?,
        };
        Ok(entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
    }

    /// The directory of all service directories.
    pub fn parent(&self) -> PathBuf {
        self.world.lib().join("data").join(PLUGIN)
    }

    /// The directory of the certificate for the app's address.
    pub fn certificates(&self) -> PathBuf {
        self.world.certificates(&self.app)
    }

    /// The directory of one instance.
    pub fn instance(&self, slot: &Slot) -> PathBuf {
        self.directory.join(slot.to_string())
    }

    /// The slots that have a directory.
    pub fn slots(&self) -> Result<Vec<Slot>, Error> {
        Ok(self.listing()?.slots)
    }

    /// The content of the directory; empty if the directory does not exist.
    pub fn listing(&self) -> Result<Listing, Error> {
        let opened = match OpenDirectory::open(&self.directory) {
            Ok(opened) => opened,
            Err(ReadError::Missing) => return Ok(Listing::default()),
            Err(error) => return Err(backend(format!("read {}", self.directory.display()), &error)),
        };
        let mut slots: Vec<Slot> = opened.names().filter_map(|name| name.parse().ok()).collect();
        slots.sort();
        let [is_rolling, has_first_spec, has_balance] =
            [ROLLOUT_FILE, FIRST_SPEC_FILE, BALANCE_SOCKET].map(|name| opened.has(name));
        Ok(Listing { slots, is_rolling, has_first_spec, has_balance, opened: Some(opened) })
    }

    /// The statuses of the instances of a listing.
    pub fn statuses(&self, listing: &Listing) -> Statuses {
        let opened = listing.opened.as_ref();
        opened
            .map_or_else(|| Statuses::of(&self.directory), |opened| Statuses::within(opened, &self.directory))
    }

    /// The spec; `None` if the app was never deployed here.
    pub fn spec(&self) -> Result<Option<Spec>, Error> {
        match Spec::read(&self.directory) {
            Ok(spec) => Ok(Some(spec)),
            Err(ps_supervisor::Error::NoSpec { .. }) => Ok(None),
            Err(error) => {
                let reason = format!("{error}: {} writes a new one", self.command("rebuild"));
                Err(backend(format!("read the spec of {}", self.app), &reason))
            }
        }
    }

    /// The command line of a verb for this app, as a person would type it inside or outside of Dokku, for messages.
    pub fn command(&self, verb: &str) -> String {
        let program = if self.world.inside_dokku() { "dokku ps:" } else { "ps-lifecycle " };
        format!("{program}{verb} {}", self.app)
    }

    /// Makes the directory if it does not exist.
    pub fn make(&self) -> Result<(), Error> {
        let made = Directory::open(self.world.lib(), &self.directory);
        made.map(drop).map_err(|error| backend(format!("create {}", self.directory.display()), &error))
    }

    /// The current spec: that of the running supervisor, unless a newer one was written; else the one in the file. `None`
    /// if none can be read; a damaged file does not stop a verb.
    pub fn spec_in_force(&self) -> Option<Spec> {
        let written = Spec::read(&self.directory).ok();
        let client = self.connect().and_then(|client| self.awake(client).ok());
        let told = client.and_then(|mut client| told_spec(&mut client));
        let is_newer = |written: &Spec| told.as_ref().is_none_or(|told| written.revision > told.revision);
        written.filter(is_newer).or(told)
    }

    /// The highest revision that any instance here was started from; 0 if there is none.
    pub fn last_revision(&self) -> u64 {
        let slots = self.slots().unwrap_or_default();
        let written = Statuses::of(&self.directory);
        let statuses = slots.iter().filter_map(|slot| written.read(slot).ok().flatten());
        statuses.map(|status| status.revision).max().unwrap_or(0)
    }

    /// Writes the spec durably, readable for its owner only. Makes the directory if necessary.
    pub fn write_spec(&self, spec: &Spec) -> Result<(), Error> {
        Spec::set_first_format_aside(&self.directory);
        self.write(SPEC_FILE, &spec.to_json())?;
        Spec::has_replaced_another(&self.directory);
        Ok(())
    }

    /// Writes the revision that is to be rolled out, durably. The supervisor is sent the request right afterwards.
    pub fn write_next(&self, next: &Next) -> Result<(), Error> {
        self.write(NEXT_FILE, &next.to_json())
    }

    /// Removes a revision that the supervisor has not accepted.
    pub fn withdraw_next(&self) {
        if !ps_supervisor::is_rolling(&self.directory) {
            // If the file stays, the next one replaces it.
            let _ = fs::remove_file(self.directory.join(NEXT_FILE));
        }
    }

    fn write(&self, name: &str, json: &[u8]) -> Result<(), Error> {
        let fail = |error: durable::WriteError| backend(format!("write the spec of {}", self.app), &error);
        let directory = Directory::open(self.world.lib(), &self.directory).map_err(fail)?;
        let path = self.directory.join(name);
        if path.is_dir() {
            // Somebody made a directory in the file's place. A rename could not replace it, and the app could never be
            // changed again.
            fs::remove_dir_all(&path)
                .map_err(|error| backend(format!("remove {}", path.display()), &error))?;
        }
        let owner = Access::like(self.world.root(), 0o600);
        directory.write(name, json, owner).map_err(fail)
    }

    /// A connection to the supervisor, if there is one.
    pub fn connect(&self) -> Option<Client> {
        Client::connect(&self.directory).ok()
    }

    /// Whether a supervisor is alive and its files can be read.
    pub fn is_tended(&self) -> bool {
        let slots = self.slots().unwrap_or_default();
        let statuses = Statuses::of(&self.directory);
        let is_there = |slot: &Slot| statuses.read(slot).is_ok_and(|status| status.is_some());
        let is_readable = |slot: &Slot| {
            Status::read(&self.instance(slot)).is_ok_and(|status| status.is_some() == is_there(slot))
        };
        let is_whole = || statuses.are_in_one_file() && Spec::read(&self.directory).is_ok();
        self.connect().is_some() && is_whole() && slots.iter().all(is_readable)
    }

    /// Waits until no supervisor holds the lock; false if one still does at the deadline.
    pub fn is_left_before(&self, deadline: Instant) -> bool {
        let mut pause = Pause::short();
        while !self.is_free() {
            if Instant::now() >= deadline {
                return false;
            }
            pause.rest();
        }
        true
    }

    /// Whether the lock file exists.
    pub fn has_lock(&self) -> bool {
        self.directory.join(LOCK_FILE).exists()
    }

    /// The pid of the supervisor, if it is stopped by a signal: it does nothing then.
    pub fn stopped_supervisor(&self) -> Option<u32> {
        Statuses::of(&self.directory).stopped_supervisor()
    }

    /// Whether no supervisor holds the lock.
    pub fn is_free(&self) -> bool {
        let Ok(lock) = durable::open(&self.directory.join(LOCK_FILE)) else { return true };
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok()
    }

    /// [`Error::Unreachable`] for this app's supervisor. That it is stopped explains more than `reason`.
    pub fn unreachable(&self, reason: &str) -> Error {
        let backend = format!("the supervisor of {} in {}", self.app, self.directory.display());
        let reason = self.stopped_supervisor().map_or_else(|| reason.to_owned(), stopped);
        Error::Unreachable { backend, reason }
    }

    /// The same client, unless its supervisor is stopped by a signal: an answer of that one would be waited for in vain.
    ///
    /// # Errors
    /// It is stopped; the error says how it goes on.
    pub fn awake(&self, client: Client) -> Result<Client, Error> {
        let stat = client.supervisor().and_then(Stat::of_living);
        match stat.filter(|stat| stat.activity == Activity::IsStopped) {
            Some(_) => Err(self.unreachable("it is stopped by a signal")),
            None => Ok(client),
        }
    }

    /// The path of `ps-supervise`: beside the running program, else on `PATH`.
    pub fn program(&self) -> Result<PathBuf, Error> {
        if let Some(program) = &self.supervise {
            return Ok(program.clone());
        }
        os_process::sister("ps-supervise").ok_or_else(|| Error::Backend {
            context: format!("start the supervisor of {}", self.app),
            reason: "ps-supervise is neither beside this program nor on PATH: install it with the others"
                .to_owned(),
        })
    }
}

/// The spec of a living supervisor; `None` if it is of an earlier version that cannot send it.
fn told_spec(client: &mut Client) -> Option<Spec> {
    client.send(&Request::Spec).ok()?;
    let deadline = Instant::now() + ANSWER;
    let mut told = None;
    loop {
        match client.next(deadline).ok()?? {
            Message::Spec { spec } => told = Some(*spec),
            Message::Reply { .. } => return told,
            Message::Hello { .. }
            | Message::Stays { .. }
            | Message::Instance(_)
            | Message::Run(_)
            | Message::Gone { .. }
            | Message::Rollout(_)
            | Message::Led { .. }
            | Message::Logs { .. }
            | Message::Unwritten { .. }
            | Message::Unknown => (),
        }
    }
}

fn stopped(supervisor: u32) -> String {
    format!(
        "it (pid {supervisor}) is stopped by a signal (SIGSTOP, SIGTSTP): kill -CONT {supervisor} lets it go on"
    )
}

/// [`Error::Backend`] from a context and a cause.
pub fn backend(context: String, reason: &dyn std::fmt::Display) -> Error {
    Error::Backend { context, reason: reason.to_string() }
}
