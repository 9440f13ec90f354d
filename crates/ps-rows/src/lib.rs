#![doc = include_str!("../README.md")]

mod address;
mod event;
mod exit;
mod explanation;
mod failure;
mod finding;
mod journal;
mod limits;
mod log;
pub mod machine;
mod past;
mod process;
mod release;
mod restarts;
mod status;
mod verb;

use std::io::{self, Write};

use serde::Serialize;

pub use address::{AddressRow, address_csv};
pub use event::{CanaryRow, EventRow, Phase, millis};
pub use exit::{ExitRow, OutOfMemoryRow};
pub use explanation::{EvidenceRow, ExplanationRow, ReasonRow};
pub use finding::{FindingRow, Verdict};
pub use journal::JournalRow;
pub use limits::LimitsRow;
pub use log::LogRow;
pub use past::instances_after;
pub use process::{ProcessRow, processes_csv};
pub use release::ReleaseRow;
pub use restarts::RestartsRow;
pub use status::{StatusRow, status_csv};
pub use verb::VerbRow;

/// Writes one object a line, and flushes them.
pub fn json_lines(mut out: impl Write, rows: &[impl Serialize]) -> io::Result<()> {
    rows.iter().try_for_each(|row| json_line(&mut out, row))?;
    out.flush()
}

/// Writes one object and a line feed. Flushing is left to the caller.
pub fn json_line(mut out: impl Write, row: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut out, row)?;
    out.write_all(b"\n")
}
