//! The row of `processes`.

use std::io::{self, Write};

use ps_scheduler::OsProcess;
use serde::Serialize;

use crate::failure;

/// One process of the operating system.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProcessRow<'a> {
    /// The app.
    pub app: &'a str,
    /// The process type of the instance that it belongs to.
    pub process_type: &'a str,
    /// The number of the instance, from 1.
    pub index: u16,
    /// Its pid on this machine.
    pub pid: u32,
    /// The user of the process: a name, or the number of a user without a name.
    pub user: &'a str,
    /// CPU time used per wall time since it started, in percent of one CPU.
    pub cpu_percent: f64,
    /// Resident memory, in bytes.
    pub memory_bytes: u64,
    /// How long it has run, `[[days-]hours:]minutes:seconds`.
    pub elapsed: &'a str,
    /// Its command line, which may contain secrets.
    pub command: &'a str,
}

impl<'a> ProcessRow<'a> {
    /// The row of an app's process.
    pub fn of(app: &'a str, process: &'a OsProcess) -> Self {
        Self {
            app,
            process_type: process.slot.process_type.as_str(),
            index: process.slot.index,
            pid: process.pid,
            user: &process.user,
            cpu_percent: process.cpu_percent,
            memory_bytes: process.memory_bytes,
            elapsed: &process.elapsed,
            command: &process.command,
        }
    }
}

/// Writes a header and a row for each process; without a process not even the header.
pub fn processes_csv(out: impl Write, rows: &[ProcessRow<'_>]) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    rows.iter().try_for_each(|row| writer.serialize(row)).map_err(failure::of_csv)?;
    writer.flush()
}
