//! A process of the operating system. An instance consists of one or more.

use formation::Slot;

/// One process of an instance.
#[derive(Clone, Debug, PartialEq)]
pub struct OsProcess {
    /// The instance.
    pub slot: Slot,
    /// Its id, as this machine sees it.
    pub pid: u32,
    /// Its user: the name, or the number if the user has no name.
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

impl OsProcess {
    /// The columns of the system's `ps` that [`OsProcess::of_ps`] reads. An engine needs the pid to find the processes of a container, and the
    /// command has to be the last column.
    pub const COLUMNS: &str = "pid,user,pcpu,rss,etime,args";

    /// Parses a row with these columns; `None` if the row has another form.
    pub fn of_ps(slot: &Slot, row: &[String]) -> Option<Self> {
        let [pid, user, cpu, memory, elapsed, command] = row else { return None };
        Some(Self {
            slot: slot.clone(),
            pid: pid.parse().ok()?,
            user: user.clone(),
            cpu_percent: cpu.parse().ok()?,
            memory_bytes: memory.parse::<u64>().ok()?.saturating_mul(1024),
            elapsed: elapsed.clone(),
            command: command.clone(),
        })
    }
}
