//! The files in the directory of a slot, `<service>/<type>.<n>`. Each run has a directory of its own there. Runs that
//! follow each other in the same place share a log; two runs side by side have one each:
//! ```text
//! web.1/status.json                what the slot is doing
//! web.1/runs/17/{run.json,exit}    what is known of one run, and how it ended
//! web.1/runs/17/{stdout,stderr}    the FIFOs that its processes write to
//! web.1/log/stdout.17.0            what came out of them; the number is that of the run that began it
//! ```
//!
//! What a supervisor of the first format started is run 0: its FIFOs lie directly in the slot's directory, and its logs
//! have no number.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use formation::{Slot, Stream};
use log_store::Series;

use crate::run_name::{RunName, number};

/// The largest file of a service directory that is read, in bytes.
pub(crate) const MAX_FILE_BYTES: u64 = 4 << 20;

const RUNS: &str = "runs";
const LOGS: &str = "log";

/// The directory of a run.
pub(crate) fn run_directory(slot: &Path, number: u64) -> PathBuf {
    match number {
        0 => slot.to_owned(),
        number => slot.join(RUNS).join(number.to_string()),
    }
}

/// The directory of all runs of a slot.
pub(crate) fn runs_directory(slot: &Path) -> PathBuf {
    slot.join(RUNS)
}

/// The numbers of the runs that have a directory of their own in that of a slot.
pub(crate) fn numbers(slot: &Path) -> BTreeSet<u64> {
    let entries = fs::read_dir(slot.join(RUNS)).into_iter().flatten().flatten();
    entries.filter_map(|entry| number(entry.file_name().to_str()?)).collect()
}

/// The slots that have a directory.
pub(crate) fn slots(service: &Path) -> impl Iterator<Item = Slot> + use<> {
    let entries = fs::read_dir(service).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The names of all runs that have a file or a directory in a service directory.
pub(crate) fn run_names(service: &Path) -> Vec<RunName> {
    let mut names = Vec::new();
    for slot in slots(service) {
        let numbers = numbers(&service.join(slot.to_string()));
        let name = |number| RunName { slot: slot.clone(), number };
        names.extend([0].into_iter().chain(numbers).map(name));
    }
    names
}

/// The directory of the logs, in that of a slot.
pub fn logs(slot: &Path) -> PathBuf {
    slot.join(LOGS)
}

/// The log of a stream, in the directory of a slot.
pub fn log(slot: &Path, stream: Stream) -> Series {
    Series::new(&logs(slot), stream.as_str())
}
