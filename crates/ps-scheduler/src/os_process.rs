//! A process of the operating system. An instance consists of one or more.

use formation::Slot;

/// One process of an instance.
#[derive(Clone, Debug, PartialEq)]
pub struct OsProcess {
    /// The instance.
    pub slot: Slot,
    /// Its id, as this machine sees it.
    pub pid: u32,
    /// Its user: a name, or a number without a name.
    pub user: String,
    /// CPU time used per wall time since it started, in percent of one CPU.
    pub cpu_percent: f64,
    /// Resident memory, in bytes.
    pub memory_bytes: u64,
    /// How long it has run, `[[days-]hours:]minutes:seconds`.
    pub elapsed: String,
    /// Its command line. May hold secrets.
    pub command: String,
}
