//! `spec2.json`: what one supervisor keeps running. ps-scheduler-native writes it; the supervisor reads it at its start and
//! on `apply`.
//!
//! The file holds the number of its format. Format 1 had no number and was called `spec.json`; it is read if there is no
//! `spec2.json`. The name changed with the format, so that programs of that time find no spec and refuse, instead of
//! misreading one. For the same reason a file of a later format is refused here.
//!
//! After a downgrade such a program may deploy the app and write `spec.json` again, beside `spec2.json`. Names, not times,
//! tell which one is newer: before `spec2.json` is written, an existing `spec.json` is renamed to `spec1.json`. A
//! `spec.json` is therefore always newer than `spec2.json`, and `spec1.json` always older, wherever a program is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use balance::Frontend;
use durable::ReadError;
use formation::{FIRST_TYPE, ProcessType, RestartPolicy, Slot};
use log_store::{Limits, WhenFull};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use type_settings::{Order, Size, TypeSettings, Whole};

use crate::health::Health;
use crate::layout::MAX_FILE_BYTES;
use crate::{Error, lossless, stopped};

/// The file's name in a service directory.
pub const SPEC_FILE: &str = "spec2.json";
/// Its name in format 1.
pub const FIRST_SPEC_FILE: &str = "spec.json";
/// The name that a spec of format 1 gets when `spec2.json` is written.
const EARLIER_SPEC_FILE: &str = "spec1.json";
/// The number of the format that is written.
const FORMAT: u32 = 2;

/// What one supervisor keeps running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// The app's name, for messages.
    pub app: String,
    /// Grows with each deploy. Instances of an older revision are replaced, unless their type is the same [since](ProcessSpec::since).
    pub revision: u64,
    /// The id of the deploy that it comes from, by which the program that recorded the deploy recognises its commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploy: Option<String>,
    /// The directory in which commands run, with all links resolved by the verb that wrote this spec.
    #[serde(with = "lossless::path")]
    pub directory: PathBuf,
    /// The same directory as it was typed, made absolute, with its links; `None` in a spec of an earlier version. A link
    /// such as `current` may lead elsewhere by now: it is resolved again if `directory` is gone.
    #[serde(default)]
    pub typed: Option<PathBuf>,
    /// Variables of every process, for example `PATH`.
    #[serde(with = "lossless::variables")]
    pub env: BTreeMap<OsString, OsString>,
    /// Env files that are read at each start (docs/dotenv.md). A later file wins; a missing one is skipped.
    #[serde(with = "lossless::paths")]
    pub env_files: Vec<PathBuf>,
    /// Those of `env_files` that Dokku writes: they are read in Dokku's grammar.
    #[serde(with = "lossless::paths", default, skip_serializing_if = "Vec::is_empty")]
    pub dokku_env_files: Vec<PathBuf>,
    /// `PORT` of the first instance of the first type; 0: all ports are spare ones.
    pub base_port: u16,
    /// Whether a person chose `base_port`. An instance then gets exactly its computed port, or is not started.
    #[serde(default)]
    pub port_is_set: bool,
    /// The place of each type that the app ever had, from 0. Ports are computed from it, and no place is used twice.
    pub places: BTreeMap<String, u16>,
    /// What happens when a process ends by itself.
    pub restart_policy: RestartPolicy,
    /// The grace period from SIGTERM to SIGKILL, in seconds.
    pub stop_timeout_seconds: u64,
    /// Where the app is reached, whatever the ports of its instances are; empty: at the ports of its instances.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listen: Vec<SocketAddr>,
    /// The options of the address.
    #[serde(default, skip_serializing_if = "Frontend::is_usual")]
    pub frontend: Frontend,
    /// The directory of the certificate for clients that speak TLS; empty: none.
    #[serde(with = "lossless::path", default, skip_serializing_if = "lossless::path::is_empty")]
    pub certificates: PathBuf,
    /// The process types.
    pub processes: Vec<ProcessSpec>,
    /// Slots that were stopped by hand and still belong to the formation. In the file: those that were stopped when this
    /// revision was written; later ones are in `stopped.json`.
    #[serde(default)]
    pub stopped: Vec<Slot>,
}

/// One process type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessSpec {
    /// Its name.
    pub process_type: String,
    /// Its command line.
    pub command: String,
    /// How many instances are wanted.
    pub quantity: u16,
    /// The settings of the type.
    #[serde(default, skip_serializing_if = "TypeSettings::is_empty")]
    pub settings: TypeSettings,
    /// How its instances become ready and are watched. `None` in a spec of an earlier version: an instance is ready once
    /// its process lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// The revision since which the type is unchanged, so that instances of that one and later ones are not replaced. `None`:
    /// the revision of the spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
}

impl Spec {
    /// The spec of an app with these addresses and without processes here: clients are sent to instances elsewhere
    /// ([`crate::Request::Lead`]). `directory` is any existing one.
    #[must_use]
    pub fn of_address(app: &str, directory: &Path, listen: Vec<SocketAddr>) -> Self {
        let (env, env_files, dokku_env_files, places, processes, stopped) = Default::default();
        Self {
            app: app.to_owned(),
            revision: 1,
            deploy: None,
            directory: directory.to_owned(),
            typed: None,
            env,
            env_files,
            dokku_env_files,
            base_port: 0,
            port_is_set: false,
            listen,
            frontend: Frontend::default(),
            certificates: PathBuf::new(),
            places,
            restart_policy: RestartPolicy::default(),
            stop_timeout_seconds: 0,
            processes,
            stopped,
        }
    }

    /// Whether the spec has an address and no processes: its supervisor only serves the address of an app that another scheduler runs.
    #[must_use]
    pub fn is_of_address(&self) -> bool {
        self.processes.is_empty() && !self.listen.is_empty()
    }

    /// Reads a service directory's spec and the list of slots that were stopped since. If the list cannot be read, the
    /// spec's own is used; [`Spec::list_passed_over`] says why.
    pub fn read(service: &Path) -> Result<Self, Error> {
        if let Some(spec) = Self::read_first_format(service) {
            return Ok(spec);
        }
        let mut spec = Self::read_alone(service)?;
        if let Ok(Some(stopped)) = stopped::read(service, spec.revision) {
            spec.stopped = stopped;
        }
        Ok(spec)
    }

    /// The spec of format 1, if a program of that time deployed the app last. A damaged one is ignored: such a program
    /// writes it whole or not at all.
    fn read_first_format(service: &Path) -> Option<Self> {
        read_document(&service.join(FIRST_SPEC_FILE)).ok()
    }

    /// Whether a program of format 1 deployed the app last.
    #[must_use]
    pub fn is_of_first_format(service: &Path) -> bool {
        Self::read_first_format(service).is_some()
    }

    /// Why the list of stopped slots of this revision was ignored, if it was.
    pub fn list_passed_over(&self, service: &Path) -> Option<Error> {
        stopped::read(service, self.revision).err()
    }

    /// The base port in the spec of a service directory, if there is one, and the ports at which its app is reached.
    pub fn ports_in(service: &Path) -> Option<Vec<u16>> {
        let spec = Self::read_first_format(service).or_else(|| Self::read_alone(service).ok())?;
        Some(spec.listen.iter().map(SocketAddr::port).chain([spec.base_port]).collect())
    }

    fn read_alone(service: &Path) -> Result<Self, Error> {
        match read_document(&service.join(SPEC_FILE)) {
            Err(Error::NoSpec { .. }) => match read_document(&service.join(EARLIER_SPEC_FILE)) {
                Err(Error::NoSpec { .. }) => read_document(&service.join(FIRST_SPEC_FILE)),
                read => read,
            },
            read => read,
        }
        .map_err(|error| match error {
            Error::NoSpec { .. } => Error::NoSpec { service: service.to_owned() },
            error => error,
        })
    }

    /// Whether a directory has a spec of any format, readable or not.
    pub fn is_in(service: &Path) -> bool {
        [SPEC_FILE, FIRST_SPEC_FILE, EARLIER_SPEC_FILE].into_iter().any(|name| service.join(name).is_file())
    }

    /// The content of the file.
    pub fn to_json(&self) -> Vec<u8> {
        document(self)
    }

    /// Writes the spec durably, owned by the owner of the service directory.
    pub(crate) fn write(&self, service: &Path) -> Result<(), Error> {
        Self::set_first_format_aside(service);
        durable::replace_durably(service, SPEC_FILE, &self.to_json())
            .map_err(|error| Error::io("write", &service.join(SPEC_FILE), error))?;
        Self::has_replaced_another(service);
        Ok(())
    }

    /// Renames a spec of format 1, before another spec is written.
    pub fn set_first_format_aside(service: &Path) {
        // If this fails, writing the next spec fails too, and that is reported.
        let _ = fs::rename(service.join(FIRST_SPEC_FILE), service.join(EARLIER_SPEC_FILE));
    }

    /// Removes what belonged to the earlier spec, after another one was written.
    pub fn has_replaced_another(service: &Path) {
        stopped::forget(service);
        // If the file stays, nothing reads it any more.
        let _ = fs::remove_file(service.join(EARLIER_SPEC_FILE));
    }

    /// Records durably which slots are stopped, without changing the spec. Only a spec of format 1, which has no such
    /// list, and one that cannot be read are written again.
    pub fn note_stopped(&self, service: &Path) -> Result<(), Error> {
        if Self::is_of_first_format(service) {
            return self.write(service);
        }
        match read_document(&service.join(SPEC_FILE)) {
            Ok(written) if written.revision == self.revision => {
                stopped::write(service, self.revision, &self.stopped)
            }
            // Another program has written a new spec and died before it sent `apply`. That spec is kept.
            Ok(written) => {
                let all: BTreeSet<Slot> = written.stopped.into_iter().chain(self.stopped.clone()).collect();
                stopped::write(service, written.revision, &all.into_iter().collect::<Vec<_>>())
            }
            Err(Error::LaterFormat { .. }) => stopped::write(service, self.revision, &self.stopped),
            Err(_) => self.write(service),
        }
    }

    /// Whether it was written for Dokku. Messages then name Dokku's commands.
    pub(crate) fn is_dokkus(&self) -> bool {
        !self.dokku_env_files.is_empty()
    }

    /// The grace period for an instance of this type.
    pub fn grace(&self, process_type: &ProcessType) -> Duration {
        let own = self.settings(process_type).and_then(|settings| settings.stop_timeout_seconds);
        Duration::from_secs(own.map_or(self.stop_timeout_seconds, Whole::unsigned))
    }

    /// The longest grace period of all types.
    pub fn longest_grace(&self) -> Duration {
        let of_types = self.processes.iter().filter_map(|process| process.settings.stop_timeout_seconds);
        let longest = of_types.map(Whole::unsigned).fold(self.stop_timeout_seconds, u64::max);
        Duration::from_secs(longest)
    }

    /// The longest time from the order to end all instances to the last SIGKILL. `grace` is the app's current grace
    /// period. It counts twice for a type with a stop command, because that may take as long as the processes may take
    /// afterwards, and once for each type in the longest row of types that end one after the other.
    pub fn longest_stop(&self, grace: Duration) -> Duration {
        let has_command = self.processes.iter().any(|process| process.settings.stop_command.is_some());
        let of_one = self.longest_grace().max(grace) * if has_command { 2 } else { 1 };
        of_one.saturating_mul(self.order().longest_row())
    }

    /// The restart policy of this type.
    pub fn policy(&self, process_type: &ProcessType) -> RestartPolicy {
        let settings = self.settings(process_type);
        let usual = match settings.and_then(|settings| settings.schedule.as_ref()) {
            // It comes again by itself.
            Some(_) => RestartPolicy::No,
            None => self.restart_policy,
        };
        settings.and_then(|settings| settings.restart_policy).unwrap_or(usual)
    }

    /// Whether instances of this type run by a schedule.
    pub fn is_scheduled(&self, process_type: &ProcessType) -> bool {
        self.settings(process_type).is_some_and(|settings| settings.schedule.is_some())
    }

    /// The limits of this type's logs. An app that was deployed before logs had limits keeps everything until its next
    /// deploy, so an upgrade deletes no log.
    pub(crate) fn log_limits(&self, process_type: &ProcessType) -> Limits {
        let Some(process) = self.process(process_type) else { return Limits::default() };
        let settings = &process.settings;
        let Limits { size, age, files, when_full } =
            if process.health.is_some() { Limits::default() } else { Limits::none() };
        let own_files = settings.log_max_files.and_then(|files| usize::try_from(files.get()).ok());
        Limits {
            size: settings.log_max_size.map_or(size, Size::bytes),
            age: settings.log_max_age.map_or(age, |age| Duration::from_secs(age.seconds())),
            files: own_files.unwrap_or(files),
            when_full: settings.log_when_full.map_or(when_full, |word| match word {
                type_settings::WhenFull::Drop => WhenFull::Drop,
                type_settings::WhenFull::Block => WhenFull::Block,
            }),
        }
    }

    /// `PORT` of the first instance of this type, if a person chose it for this type alone. Inside Dokku there is no such
    /// property.
    pub(crate) fn own_port(&self, process_type: &ProcessType) -> Option<u16> {
        let port = self.settings(process_type)?.port.filter(|_| !self.is_dokkus())?;
        u16::try_from(port.get()).ok()
    }

    /// Whether a person chose the ports of this type.
    pub fn is_port_chosen(&self, process_type: &ProcessType) -> bool {
        !self.has_address(process_type) && (self.port_is_set || self.own_port(process_type).is_some())
    }

    /// Whether instances of this type are reached at the app's address, so that only the supervisor has to know their
    /// ports.
    pub(crate) fn has_address(&self, process_type: &ProcessType) -> bool {
        !self.listen.is_empty() && process_type.as_str() == FIRST_TYPE
    }

    /// The settings of a type.
    pub(crate) fn settings(&self, process_type: &ProcessType) -> Option<&TypeSettings> {
        self.process(process_type).map(|process| &process.settings)
    }

    /// The type of that name.
    pub fn process(&self, process_type: &ProcessType) -> Option<&ProcessSpec> {
        self.processes.iter().find(|process| process.process_type == process_type.as_str())
    }

    /// In which order the types start and end.
    pub fn order(&self) -> Order {
        if self.processes.iter().all(|process| process.settings.after.is_none()) {
            return Order::default();
        }
        let typed = |process: &ProcessSpec| process.process_type.parse::<ProcessType>().ok();
        let types: Vec<(ProcessType, &TypeSettings)> =
            self.processes.iter().filter_map(|process| Some((typed(process)?, &process.settings))).collect();
        let types: Vec<_> = types.iter().map(|(process_type, settings)| (process_type, *settings)).collect();
        Order::of(&types)
    }

    /// The slots of one type that are to be filled.
    pub(crate) fn wanted_of(&self, process_type: &ProcessType) -> Vec<Slot> {
        let quantity = self.process(process_type).map_or(0, |process| process.quantity);
        let slots = (1..=quantity).map(|n| Slot::new(process_type.clone(), n));
        slots.filter(|slot| !self.stopped.contains(slot)).collect()
    }

    /// The slots that are to be filled: all of the formation except those that were stopped.
    pub fn wanted(&self) -> Vec<Slot> {
        let of_type = |process: &ProcessSpec| {
            let process_type: Option<ProcessType> = process.process_type.parse().ok();
            let slot = move |n| process_type.clone().map(|process_type| Slot::new(process_type, n));
            (1..=process.quantity).filter_map(slot).collect::<Vec<_>>()
        };
        let mut slots: Vec<Slot> = self.processes.iter().flat_map(of_type).collect();
        slots.retain(|slot| !self.stopped.contains(slot));
        slots
    }

    /// The same spec for another directory; env files inside the earlier directory are taken from the other one.
    #[must_use]
    pub fn at(&self, directory: &Path) -> Self {
        let moved = |file: &PathBuf| match file.strip_prefix(&self.directory) {
            Ok(name) => directory.join(name),
            Err(_) => file.clone(),
        };
        let env_files = self.env_files.iter().map(moved).collect();
        Self { directory: directory.to_owned(), env_files, ..self.clone() }
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        for process in &self.processes {
            process.process_type.parse::<ProcessType>().map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

/// A JSON document with the number of its format.
#[derive(Serialize)]
struct Numbered<'a, T> {
    format: u32,
    #[serde(flatten)]
    content: &'a T,
}

/// Only the number. It is read first, because a later format may look entirely different.
#[derive(Deserialize)]
struct Number {
    #[serde(default)]
    format: Option<u32>,
}

/// The bytes of a spec, or of a document that contains one.
pub(crate) fn document<T: Serialize>(content: &T) -> Vec<u8> {
    let mut json =
        serde_json::to_vec_pretty(&Numbered { format: FORMAT, content }).expect("it is plain data");
    json.push(b'\n');
    json
}

/// Reads a spec of the current format or of format 1.
///
/// # Errors
/// [`Error::NoSpec`] if there is none; [`Error::LaterFormat`] if a later version wrote it.
pub(crate) fn read_document(path: &Path) -> Result<Spec, Error> {
    read_documents::<IgnoredAny>(path).map(|(spec, _)| spec)
}

/// The same, with what else stands in the file: read twice, because a value that is read as a part of another one is first taken apart
/// in memory, as a whole.
pub(crate) fn read_documents<T: DeserializeOwned>(path: &Path) -> Result<(Spec, T), Error> {
    let bytes = durable::state(path, MAX_FILE_BYTES).map_err(|error| match error {
        ReadError::Missing => Error::NoSpec { service: path.to_owned() },
        error => Error::unreadable(path, error),
    })?;
    let bad = |reason: String| Error::BadSpec { path: path.to_owned(), reason };
    let number: Number = serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))?;
    if let Some(format) = number.format.filter(|format| *format > FORMAT) {
        return Err(Error::LaterFormat { path: path.to_owned(), format });
    }
    let spec: Spec = serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))?;
    spec.check().map_err(bad)?;
    let more = serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))?;
    Ok((spec, more))
}

#[cfg(test)]
mod tests;
