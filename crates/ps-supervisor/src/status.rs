//! `<type>.<n>/status.json`: what one instance is doing. `cat` is a supported client; a reader needs no lock.

use std::path::{Path, PathBuf};

use durable::ReadError;
use formation::{Exit, Slot, State};
use jiff::Timestamp;
use os_process::ProcessId;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::spec::MAX_FILE_BYTES;

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

impl Status {
    /// The status of an instance, from its directory; `None` if none was ever written.
    pub fn read(directory: &Path) -> Result<Option<Self>, Error> {
        let path = directory.join(STATUS_FILE);
        let bytes = match durable::state(&path, MAX_FILE_BYTES) {
            Ok(bytes) => bytes,
            Err(ReadError::Missing) => return Ok(None),
            Err(error) => return Err(Error::unreadable(&path, error)),
        };
        let status = serde_json::from_slice(&bytes);
        status.map(Some).map_err(|error| Error::BadStatus { path, reason: error.to_string() })
    }

    /// Writes the status, whole or not at all; what else lies in its place goes. It is not synced: after a power loss
    /// no process of it lives.
    pub(crate) fn write(&self, directory: &Path) -> Result<(), Error> {
        let mut bytes = serde_json::to_vec(self).expect("a status is plain data");
        bytes.push(b'\n');
        durable::replace(directory, STATUS_FILE, &bytes)
            .map_err(|error| Error::io("write", &directory.join(STATUS_FILE), error))
    }
}
