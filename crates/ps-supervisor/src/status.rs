//! `<type>.<n>/status.json`: the status of the run that fills a slot, or filled it last. `runs/<number>/run.json` is the
//! same for each run of the slot that still has a directory, also for one beside the current run. Reading them with `cat`
//! is supported, and needs no lock.
//!
//! Both hold the number of their format; a file without one is of the first format. A word that only a later version knows
//! is read as unknown; a file of a later format is refused.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use durable::ReadError;
use formation::{Exit, OutOfMemory, Restarts, Slot, State, Stream};
use jiff::Timestamp;
use log_store::{Place, Segment};
use os_process::ProcessId;
use ps_rollout::{Lane, Role, Side};
use serde::{Deserialize, Deserializer, Serialize};
use timetable::Course;

use crate::layout::MAX_FILE_BYTES;
use crate::limits::InForce;
use crate::own_outputs::OwnOutputs;
use crate::restart::Deaths;
use crate::start_settings::StartSettings;
use crate::{Error, layout};

pub(crate) const STATUS_FILE: &str = "status.json";
const RUN_FILE: &str = "run.json";
const EXIT_FILE: &str = "exit";
/// The number of the format that is written.
pub(crate) const FORMAT: u32 = 2;
const EXIT_FORMAT: u32 = 1;
/// How many of a run's last lines are shown if it failed.
const LAST_LINES: usize = 10;

/// The status of one run.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a field of the file, and earlier versions know three of them"
)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The number of the format.
    #[serde(default)]
    pub format: u32,
    /// The slot.
    pub slot: Slot,
    /// The number of the run; 0 is one that a supervisor of the first format started.
    #[serde(default)]
    pub run: u64,
    /// Its role in the slot; `None` is a role of a later version.
    #[serde(default = "current", deserialize_with = "if_known")]
    pub role: Option<Role>,
    /// On which side it is compared with a run of another revision (a canary), if it is.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "if_known")]
    pub compared: Option<Side>,
    /// Its lane: which of the slot's two places it takes.
    #[serde(default = "own_lane", deserialize_with = "lane")]
    pub lane: Lane,
    /// What it is doing.
    pub state: State,
    /// Its main process. `start_time` and `boot_id` make its pid unique.
    pub process: Option<ProcessId>,
    /// The process that people take for it, where the main one has said that it only sees to that one.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "if_known")]
    pub program: Option<ProcessId>,
    /// Its `PORT`, if that is its own.
    pub port: Option<u16>,
    /// Whether its process was given the listening sockets of the app's address, and accepts clients itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_socket: bool,
    /// Since when it has been in this state (RFC 3339, UTC).
    pub since: Timestamp,
    /// How often the restart policy has started the slot again since it was first started.
    pub restarts: u32,
    /// How often the slot was started again, by reason, whichever run and release it had.
    #[serde(default, skip_serializing_if = "Restarts::is_empty", deserialize_with = "counts_if_known")]
    pub restarts_by_reason: Restarts,
    /// How many processes of the slot the kernel has killed for want of memory, as far as that is counted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub oom_kills: u64,
    /// The record of deaths for the restart policy.
    #[serde(default, skip_serializing_if = "Deaths::is_nothing")]
    pub deaths: Deaths,
    /// How its last process ended.
    #[serde(deserialize_with = "if_known")]
    pub last_exit: Option<Exit>,
    /// That this end was the kernel's, for want of memory.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "if_known")]
    pub out_of_memory: Option<OutOfMemory>,
    /// What its process may use of the machine, if something was set.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "if_known")]
    pub limits: Option<Box<InForce>>,
    /// The revision of the spec that it was started from.
    pub revision: u64,
    /// What it was started with of the settings of its type; `None`: a version that did not write it down has started it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "if_known")]
    pub start_settings: Option<StartSettings>,
    /// Whether its process is a job: its end is final, even if it is unknown how it ended.
    #[serde(default)]
    pub job: bool,
    /// Whether the process of a job is about to be started. This is written before the start, so a reader does not know whether the
    /// process was started.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub begins: bool,
    /// Whether its process ended by itself and only an explicit order starts it again.
    #[serde(default)]
    pub done: bool,
    /// The run that began the logs it writes to. A run that follows another in the same place continues that one's logs.
    #[serde(default)]
    pub log: u64,
    /// The segments of the logs, stdout's and stderr's, at the moment when its process was started.
    #[serde(default)]
    pub log_segments: [u32; 2],
    /// The lengths of these segments at that moment, in bytes: its own output follows there.
    #[serde(default)]
    pub log_offsets: [u64; 2],
    /// How many bytes of its output were dropped because the disk was full, since its logs were begun.
    #[serde(default)]
    pub log_dropped: u64,
    /// How many bytes more may be missing, at most: the supervisor was killed while it dropped them, or the process ended while no supervisor
    /// lived and no holder kept its output.
    #[serde(default)]
    pub log_in_doubt: u64,
    /// Whether its log cannot be written because the disk is full, so that it blocks once its pipe is full.
    #[serde(default)]
    pub log_waits: bool,
    /// That nothing can be recorded of it, because its file system refuses that. Readers of files see it only where `state` could be
    /// written, or afterwards in nothing: it is for clients of the supervisor.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "if_known")]
    pub unrecorded: Option<Unrecorded>,
    /// Why it could not be started, or what is wrong with its directory or outputs.
    pub reason: Option<String>,
    /// The directory in which its process runs, or ran last: after a crash it is restarted there. `None` before its first
    /// start, and in the status of an earlier version.
    #[serde(default)]
    pub directory: Option<PathBuf>,
    /// A note for people about its last start or end, one sentence.
    #[serde(default)]
    pub note: Option<String>,
    /// The text that its process sent last (`STATUS=`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
    /// How far its schedule has come, if it runs by one.
    #[serde(
        default,
        rename = "schedule",
        skip_serializing_if = "Option::is_none",
        deserialize_with = "if_known"
    )]
    pub course: Option<Course>,
}

/// Since when nothing can be recorded of a run, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unrecorded {
    /// Since when.
    pub since: Timestamp,
    /// The system's reason.
    pub why: String,
}

/// The content of `exit`: how one run ended, if that is known.
#[derive(Serialize, Deserialize)]
struct Ended {
    format: u32,
    exit: Exit,
}

#[derive(Deserialize)]
struct Number {
    #[serde(default)]
    format: u32,
}

impl Status {
    /// The status of a run of which only the slot is known.
    pub(crate) fn nothing(slot: &Slot, since: Timestamp) -> Self {
        Self {
            format: FORMAT,
            slot: slot.clone(),
            run: 0,
            role: current(),
            compared: None,
            lane: Lane::Own,
            state: State::Stopped,
            process: None,
            port: None,
            has_socket: false,
            since,
            restarts: 0,
            restarts_by_reason: Restarts::default(),
            oom_kills: 0,
            deaths: Deaths::default(),
            last_exit: None,
            out_of_memory: None,
            limits: None,
            revision: 0,
            start_settings: None,
            job: false,
            begins: false,
            done: false,
            log: 0,
            log_segments: [0; 2],
            log_offsets: [0; 2],
            log_dropped: 0,
            log_in_doubt: 0,
            log_waits: false,
            unrecorded: None,
            reason: None,
            directory: None,
            note: None,
            says: None,
            program: None,
            course: None,
        }
    }

    /// Reads the status of a slot from its directory; `None` if none was ever written.
    ///
    /// # Errors
    /// It cannot be read, makes no sense, or is of a later format.
    pub fn read(directory: &Path) -> Result<Option<Self>, Error> {
        read(Self::file(directory))
    }

    /// Where the status of a slot is, in its directory.
    pub fn file(directory: &Path) -> PathBuf {
        directory.join(STATUS_FILE)
    }

    /// The runs of a slot that may live: this one, which fills it or filled it last, comes first. A run beside it whose
    /// file cannot be read is left out.
    pub(crate) fn with_others(self, directory: &Path) -> Vec<Self> {
        let filling = self.run;
        let mut all = vec![self];
        for number in layout::numbers(directory).into_iter().filter(|number| *number != filling) {
            let run = Self::read_run(directory, number);
            // The supervisor removes the remains of a run that has ended.
            all.extend(run.filter(|run| run.process.as_ref().is_some_and(ProcessId::is_alive)));
        }
        all
    }

    /// The same in a copy of its service directory, where it is as good as one of an earlier boot: its process belongs to the original.
    pub(crate) fn of_a_copy(self) -> Self {
        let elsewhere = |process: ProcessId| ProcessId { boot_id: String::new(), ..process };
        Self { process: self.process.map(elsewhere), program: None, ..self }
    }

    /// How it ended the last time, as a fragment for people.
    pub fn how_it_ended(&self) -> Option<String> {
        let exit = self.last_exit.map(|exit| exit.to_string());
        match (self.out_of_memory, exit) {
            (Some(out_of_memory), Some(exit)) if !out_of_memory.main => {
                Some(format!("{exit}, {out_of_memory}"))
            }
            (Some(out_of_memory), _) => Some(out_of_memory.to_string()),
            (None, exit) => exit,
        }
    }

    /// Where the output of this run begins in the log of its slot.
    pub fn log_place(&self, stream: Stream) -> Place {
        let index = usize::from(stream == Stream::Stderr);
        let segment = Segment { run: self.log, number: self.log_segments[index] };
        Place { segment, offset: self.log_offsets[index] }
    }

    /// Records where the logs end, before its process is started.
    pub(crate) fn begin_logs(&mut self, places: Option<[Place; 2]>) {
        let Some(places) = places else { return };
        self.log_segments = places.map(|place| place.segment.number);
        self.log_offsets = places.map(|place| place.offset);
    }

    /// The last lines that the run wrote: stdout's, then stderr's, ten in all, of which stderr may take as many as it has.
    /// An unreadable log is ignored, because it must not hide why a process failed.
    pub fn last_words(&self, directory: &Path) -> Vec<String> {
        let own = OwnOutputs::read(directory);
        let of_stream = |stream| {
            let log = layout::log(directory, stream);
            let mut lines =
                log_store::last_lines(&log, self.log_place(stream), LAST_LINES).unwrap_or_default();
            lines.extend(own.iter().flat_map(|own| own.of(stream).last_lines(LAST_LINES)));
            lines
        };
        let mut lines: Vec<String> =
            [Stream::Stdout, Stream::Stderr].into_iter().flat_map(of_stream).collect();
        lines.split_off(lines.len().saturating_sub(LAST_LINES))
    }

    /// The status of one run, if it can be read.
    pub(crate) fn read_run(slot: &Path, number: u64) -> Option<Self> {
        read(layout::run_directory(slot, number).join(RUN_FILE)).ok().flatten()
    }

    /// Writes the status of a slot atomically, and replaces whatever else has the file's name. It is not synced: after a
    /// power loss none of its processes lives.
    pub(crate) fn write(&self, directory: &Path) -> io::Result<()> {
        durable::refresh(directory, STATUS_FILE, &self.to_json())
    }

    /// Writes the status of one run into its directory.
    pub(crate) fn write_run(&self, directory: &Path) -> io::Result<()> {
        durable::refresh(directory, RUN_FILE, &self.to_json())
    }

    /// As a line of JSON.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).expect("a status is plain data");
        bytes.push(b'\n');
        bytes
    }
}

fn read(path: PathBuf) -> Result<Option<Status>, Error> {
    let bytes = match durable::state(&path, MAX_FILE_BYTES) {
        Ok(bytes) => bytes,
        Err(ReadError::Missing) => return Ok(None),
        Err(error) => return Err(Error::unreadable(&path, error)),
    };
    match serde_json::from_slice(&bytes) {
        Ok(Number { format }) if format > FORMAT => return Err(Error::LaterFormat { path, format }),
        Ok(_) | Err(_) => (),
    }
    match serde_json::from_slice(&bytes) {
        Ok(status) => Ok(Some(status)),
        Err(error) => Err(Error::BadStatus { path, reason: error.to_string() }),
    }
}

/// Records at once how a run ended, because the process that saw it may be killed before it writes anything else. If this
/// fails, the next supervisor does not know how the run ended.
pub(crate) fn write_exit(directory: &Path, exit: Exit) {
    let ended = Ended { format: EXIT_FORMAT, exit };
    let json = serde_json::to_vec(&ended).expect("an exit is plain data");
    let _ = durable::replace(directory, EXIT_FILE, &json);
}

/// How the run of a directory ended, if that was recorded.
pub(crate) fn read_exit(directory: &Path) -> Option<Exit> {
    let bytes = durable::state(&directory.join(EXIT_FILE), MAX_FILE_BYTES).ok()?;
    let ended: Ended = serde_json::from_slice(&bytes).ok()?;
    (ended.format <= EXIT_FORMAT).then_some(ended.exit)
}

/// Removes the record, because the directory becomes that of another run.
pub(crate) fn forget_exit(directory: &Path) {
    let _ = fs::remove_file(directory.join(EXIT_FILE));
}

/// The current time to the millisecond.
pub(crate) fn now() -> Timestamp {
    let now = Timestamp::now();
    now.round(jiff::Unit::Millisecond).unwrap_or(now)
}

/// The role in a file that has none: its writer knew no other.
#[expect(clippy::unnecessary_wraps, reason = "it is what a field without a word is read as")]
fn current() -> Option<Role> {
    Some(Role::Current)
}

fn own_lane() -> Lane {
    Lane::Own
}

fn lane<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Lane, D::Error> {
    Ok(if_known(deserializer)?.unwrap_or(Lane::Own))
}

fn counts_if_known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Restarts, D::Error> {
    Ok(if_known(deserializer)?.unwrap_or_default())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks like this")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Reads a value that only a later version understands as `None`.
fn if_known<'de, D: Deserializer<'de>, T: serde::de::DeserializeOwned>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join(STATUS_FILE), text).expect("written");
        directory
    }

    /// A status as version 1 wrote it (commit a927f60).
    const FIRST: &str = r#"{"slot":"web.1","state":"running","process":{"pid":7,"start_time":9,"boot_id":"b"},
        "port":5000,"since":"2026-01-01T00:00:00Z","restarts":2,"last_exit":{"signal":9},"revision":3,"reason":null}"#;

    #[test]
    fn what_a_supervisor_of_before_wrote_is_run_0() {
        let status = Status::read(written(FIRST).path()).expect("readable").expect("written");
        assert_eq!((status.format, status.run, status.log, status.role), (0, 0, 0, Some(Role::Current)));
        assert_eq!((status.lane, status.last_exit), (Lane::Own, Some(Exit::Signal(9))));
    }

    #[test]
    fn a_word_of_a_later_version_is_unknown_and_a_file_of_a_later_format_is_not_read() {
        let later = FIRST.replace("\"running\"", "\"draining\"").replace("\"signal\":9", "\"oom\":true");
        let later = later.replacen('{', "{\"role\":\"mirror\",\"lane\":\"third\",\"more\":[1],", 1);
        let status = Status::read(written(&later).path()).expect("readable").expect("written");
        assert_eq!((status.state, status.role), (State::Unknown, None));
        assert_eq!((status.lane, status.last_exit), (Lane::Own, None));
        let later = written(r#"{"format":3,"slots":["web.1"]}"#);
        let error = Status::read(later.path()).expect_err("another format");
        assert!(error.to_string().contains("format 3") && error.to_string().contains("deploy"), "{error}");
    }

    #[test]
    fn how_a_run_ended_is_known_as_long_as_its_directory_is_its_own() {
        let run = tempfile::tempdir().expect("a directory");
        assert_eq!(read_exit(run.path()), None);
        write_exit(run.path(), Exit::Code(3));
        assert_eq!(read_exit(run.path()), Some(Exit::Code(3)));
        for later in [r#"{"format":9,"exit":{"oom":true}}"#, r#"{"format":2,"exit":{"code":3}}"#] {
            fs::write(run.path().join(EXIT_FILE), later).expect("written");
            assert_eq!(read_exit(run.path()), None, "{later}");
        }
        forget_exit(run.path());
        assert!(!run.path().join(EXIT_FILE).exists());
    }
}
