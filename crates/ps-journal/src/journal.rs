//! The journal of one app as a file. Every program that may change the app appends to it, under a lock of the file alone.

use std::env;
use std::fmt::Display;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use balance::Receipt;
use durable::{Directory, ReadError, Records, WriteError};
use formation::{AppName, LifeEvent, LifeOfSlot, Slot};
use jiff::Timestamp;
use ps_apps::{Error, Scope, World};
use ps_rollout::{Tally, Verdict};
use rustix::time::ClockId;

use crate::arguments::{first_line, redacted, shortened};
use crate::event::{Asker, Change, Entry, Event, FORMAT, Outcome};
use crate::last_words::LastWords;
use crate::slots::grouped;

/// The size at which the older half of a journal is removed: several thousand events.
const MAX_BYTES: u64 = 1 << 20;
const NAME: &str = "journal";
/// The variable by which a program that runs a verb on behalf of a person names that person: `alice by ps-web`.
pub const ON_BEHALF_OF: &str = "FORMATION_ON_BEHALF_OF";

/// Whether this process has already said that a journal cannot be written.
static IS_LOSS_SAID: AtomicBool = AtomicBool::new(false);

/// The journal of one app.
#[derive(Clone, Debug)]
pub struct Journal<'a> {
    world: &'a World,
    app: &'a AppName,
    records: Records,
}

/// The content of a journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The readable entries, the oldest first.
    pub entries: Vec<Entry>,
    /// How many lines are not readable, because the file was changed or the machine lost its power.
    pub unreadable: usize,
}

impl<'a> Journal<'a> {
    /// The journal of an app, which need not exist.
    pub fn of(world: &'a World, app: &'a AppName) -> Self {
        let path = path(world, app);
        Self { world, app, records: Records::new(world.lib(), &path, MAX_BYTES) }
    }

    /// As [`Journal::of`], for a writer that must not be delayed: it waits at most this long for another writer, and then
    /// loses its entry.
    #[must_use]
    pub fn waiting_at_most(self, patience: Duration) -> Self {
        Self { records: self.records.waiting_at_most(patience), ..self }
    }

    /// Runs `deed` as `verb` with these arguments, and writes an event at its beginning and its end.
    pub fn tell<T, E: Display>(
        &self,
        verb: &str,
        words: &[String],
        loss: fn(&str),
        deed: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        self.asked(verb, words, loss);
        let began = Instant::now();
        let ended = deed();
        // The alternate form of an error has all of its causes.
        let error = ended.as_ref().err().map(|error| format!("{error:#}"));
        self.ended(verb, error.as_deref(), began.elapsed(), loss);
        ended
    }

    /// Writes that `verb` begins, with these arguments.
    pub fn asked(&self, verb: &str, arguments: &[String], loss: impl FnOnce(&str)) {
        let asker = asker();
        let event = Event::Asked { verb: verb.to_owned(), asker, arguments: redacted(arguments) };
        self.note(event, loss);
    }

    /// Writes the planned changes.
    pub fn planned(&self, changes: Vec<Change>, loss: impl FnOnce(&str)) {
        self.note(Event::Planned { changes }, loss);
    }

    /// Writes the completed changes.
    pub fn done(&self, changes: Vec<Change>, loss: impl FnOnce(&str)) {
        self.note(Event::Done { changes }, loss);
    }

    /// Writes the connections of clients during a rollout.
    pub fn receipt(&self, receipt: Receipt, loss: impl FnOnce(&str)) {
        self.note(Event::Receipt { receipt }, loss);
    }

    /// Writes the result of a comparison.
    pub fn canary(&self, verdict: Verdict, (canary, control): (Tally, Tally), loss: impl FnOnce(&str)) {
        self.note(Event::Canary { verdict, canary, control }, loss);
    }

    /// Writes that `verb` has ended. Only the first line of `error`, the message for the person, is written, because the
    /// others may be output of the app; these are kept as [`LastWords`].
    pub fn ended(&self, verb: &str, error: Option<&str>, took: Duration, loss: impl FnOnce(&str)) {
        let outcome = if error.is_some() { Outcome::Failed } else { Outcome::Done };
        self.keep(error.and_then(|error| LastWords::of_message(act(), error)));
        let error = error.and_then(first_line);
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.note(Event::Ended { verb: verb.to_owned(), outcome, error, took_ms }, loss);
    }

    /// Writes an event that no person asked for, about these slots; `origin` is one word for its source.
    pub fn happened(
        &self,
        origin: &str,
        slots: &[Slot],
        run: Option<u64>,
        what: &str,
        is_failure: bool,
        loss: impl FnOnce(&str),
    ) {
        let outcome = if is_failure { Outcome::Failed } else { Outcome::Done };
        let slots = grouped(slots.iter().map(|slot| (slot, "", "")));
        let slots = slots.into_iter().map(|change| change.slots).collect();
        let (origin, what) = (origin.to_owned(), shortened(what));
        self.note(Event::Happened { origin, slots, run, what, outcome }, loss);
    }

    /// Writes steps in the lives of instances. Only the first line of a reason is kept: the others may be output of the app.
    pub fn instances(&self, lives: Vec<LifeOfSlot>, loss: impl FnOnce(&str)) {
        let event = |(slot, life): LifeOfSlot| {
            let reason = life.reason.as_deref().and_then(first_line);
            Event::Instance { slot, life: LifeEvent { reason, ..life } }
        };
        self.note_all(lives.into_iter().map(event), loss);
    }

    /// The file's inode and length, which change with each event; `None` if there is no file.
    pub fn state(&self) -> Option<(u64, u64)> {
        path(self.world, self.app).metadata().ok().map(|file| (file.ino(), file.len()))
    }

    /// Reads the journal; one that was never written is empty.
    pub fn read(&self) -> Result<Contents, ReadError> {
        let mut contents = Contents::default();
        for record in self.records.read()? {
            match serde_json::from_str(&record) {
                Ok(entry) => contents.entries.push(entry),
                Err(_) => contents.unreadable += 1,
            }
        }
        Ok(contents)
    }

    /// Copies the journal to the new name of an app that is renamed. Neither app need exist; a journal that the new name
    /// has already is kept.
    pub fn hand_on(&self, new: &AppName) -> Result<(), Error> {
        let (from, to) = (path(self.world, self.app), path(self.world, new));
        let bytes = match durable::state(&from, MAX_BYTES) {
            Err(ReadError::Missing) => return Ok(()),
            Ok(_) if to.exists() => return Ok(()),
            bytes => bytes.map_err(|error| Error::Corrupt {
                path: from,
                line: None,
                reason: format!("{error}: remove it"),
            })?,
        };
        let directory = Directory::open(self.world.lib(), &self.world.kept_dir(new))?;
        Ok(directory.write(NAME, &bytes, self.world.access(Scope::Global))?)
    }

    fn note(&self, event: Event, loss: impl FnOnce(&str)) {
        self.note_all([event], loss);
    }

    /// Appends events of an app that exists. If that fails, `loss` is called with a sentence, once per process.
    fn note_all(&self, events: impl IntoIterator<Item = Event>, loss: impl FnOnce(&str)) {
        if let Err(error) = self.append(events)
            && !IS_LOSS_SAID.swap(true, Ordering::Relaxed)
        {
            loss(&format!("the journal of {} lacks what is done now: {error}", self.app));
        }
    }

    /// Whether the app does not exist. If that cannot be determined, because the disk fails, the answer is `false`, so that
    /// nothing is removed.
    fn is_gone(&self) -> bool {
        matches!(self.world.app(self.app.as_str()), Err(Error::NoSuchApp { .. }))
    }

    /// Stores the last lines of a process of an app that exists.
    fn keep(&self, words: Option<LastWords>) {
        let Some(words) = words.filter(|_| !self.is_gone()) else { return };
        words.keep(self.world, self.app);
        if self.is_gone() {
            // The app was destroyed meanwhile, so what was kept of it is removed.
            let _ = self.world.forget_kept(self.app);
        }
    }

    fn append(&self, events: impl IntoIterator<Item = Event>) -> Result<(), WriteError> {
        let mut events = events.into_iter().peekable();
        if events.peek().is_none() {
            return Ok(());
        }
        if self.is_gone() {
            return Ok(());
        }
        let line = |event| serde_json::to_string(&entry(event)).expect("an entry is plain data");
        let lines: Vec<String> = events.map(line).collect();
        let appended = self.records.append_all(&lines, self.world.access(Scope::App(self.app)));
        if self.is_gone() {
            // The app was destroyed meanwhile, so the file that was just made is removed.
            let _ = self.world.forget_kept(self.app);
            return Ok(());
        }
        appended
    }
}

/// The path of an app's journal.
fn path(world: &World, app: &AppName) -> PathBuf {
    world.kept_dir(app).join(NAME)
}

fn entry(event: Event) -> Entry {
    Entry {
        format: FORMAT,
        at: Timestamp::now(),
        monotonic_ms: monotonic_ms(),
        boot: os_process::boot_id().to_owned(),
        act: act().to_owned(),
        event,
    }
}

/// Identifies this run of this program: its start time and its pid.
fn act() -> &'static str {
    static ACT: OnceLock<String> = OnceLock::new();
    ACT.get_or_init(|| format!("{}-{}", monotonic_ms(), std::process::id()))
}

fn monotonic_ms() -> u64 {
    let now = rustix::time::clock_gettime(ClockId::Monotonic);
    now.tv_sec.unsigned_abs() * 1000 + now.tv_nsec.unsigned_abs() / 1_000_000
}

fn asker() -> Asker {
    let named = [ON_BEHALF_OF, "SSH_NAME", "SUDO_USER"].into_iter().filter_map(|name| env::var(name).ok());
    let on_behalf_of = named.map(|name| shortened(&name)).find(|name| !name.is_empty());
    Asker { user: os_process::user_name(rustix::process::getuid().as_raw()), on_behalf_of }
}
