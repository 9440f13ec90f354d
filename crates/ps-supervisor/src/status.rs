//! `<type>.<n>/status.json`: what one instance is doing. `cat` is a supported client; a reader needs no lock.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use formation::{Exit, Slot, State};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Error, small_file};

pub(crate) const STATUS_FILE: &str = "status.json";

/// One instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The slot.
    pub slot: Slot,
    /// What it is doing.
    pub state: State,
    /// Its main process; with `start_time` and `boot_id` that names it for good.
    pub process: Option<ProcessId>,
    /// Its `PORT`.
    pub port: Option<u16>,
    /// Since when it has been in this state (RFC 3339, UTC).
    pub since: Timestamp,
    /// How often it was started again by itself since it was first started.
    pub restarts: u32,
    /// How it ended the last time.
    pub last_exit: Option<Exit>,
    /// The revision of the spec that it was started from.
    pub revision: u64,
    /// Whether its process is a job: one whose end is final, also where nobody saw it.
    #[serde(default)]
    pub job: bool,
    /// Whether its process ended by itself and is not to be started again, unless somebody asks for it.
    #[serde(default)]
    pub done: bool,
    /// Where the logs of stdout and stderr ended when its process was started, in bytes: what follows is its own.
    #[serde(default)]
    pub log_offsets: [u64; 2],
    /// What is to be known beside the state: why it could not be started, or what is wrong with its place.
    pub reason: Option<String>,
    /// Where its process runs, or ran last: a crash restarts it there. `None` before its first start, and in the status
    /// of an earlier version.
    #[serde(default)]
    pub directory: Option<PathBuf>,
    /// What a person should know of its last start or end, one sentence.
    #[serde(default)]
    pub note: Option<String>,
}

/// A process, named so that no other process is ever taken for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its pid.
    pub pid: u32,
    /// When it started, in clock ticks since boot.
    pub start_time: u64,
    /// Which boot.
    pub boot_id: String,
}

impl ProcessId {
    /// The process that has `pid` now; `None` if there is none.
    pub fn of(pid: u32) -> Option<Self> {
        Some(Self { pid, start_time: start_time(pid)?, boot_id: boot_id().to_owned() })
    }

    /// Whether that very process still lives (a zombie does not).
    pub fn is_alive(&self) -> bool {
        self.boot_id == boot_id() && start_time(self.pid) == Some(self.start_time)
    }
}

impl Status {
    /// The status of an instance, from its directory; `None` if none was ever written.
    pub fn read(directory: &Path) -> Result<Option<Self>, Error> {
        let path = directory.join(STATUS_FILE);
        let bytes = match small_file::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("read", &path, error)),
        };
        let status = serde_json::from_slice(&bytes);
        status.map(Some).map_err(|error| Error::BadStatus { path, reason: error.to_string() })
    }

    /// Writes the status, whole or not at all; what else lies in its place goes. It is not synced: after a power loss
    /// no process of it lives.
    pub(crate) fn write(&self, directory: &Path) -> Result<(), Error> {
        let mut bytes = serde_json::to_vec(self).expect("a status is plain data");
        bytes.push(b'\n');
        small_file::replace(directory, STATUS_FILE, &bytes)
            .map_err(|error| Error::io("write", &directory.join(STATUS_FILE), error))
    }
}

/// When a process started; `None` if there is none, or only its zombie.
pub(crate) fn start_time(pid: u32) -> Option<u64> {
    // One read has it all (proc(5)), and reports ask this of every instance there is.
    let mut buffer = [0; 1024];
    let length = File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut buffer).ok()?;
    let stat = String::from_utf8_lossy(&buffer[..length]);
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut fields = after_name.split(' ');
    let is_zombie = matches!(fields.next(), Some("Z" | "X"));
    fields.nth(18).filter(|_| !is_zombie)?.parse().ok()
}

/// Which boot this is, read once: no process outlives its boot.
fn boot_id() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| {
        let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        id.trim_end().to_owned()
    })
}
