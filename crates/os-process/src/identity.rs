//! Identifies a process by pid, start time and boot. A pid alone is reused for other processes.

use std::fs;
use std::sync::OnceLock;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock;
use crate::stat::Stat;

/// The identity of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// The pid.
    pub pid: u32,
    /// When it started, in clock ticks since boot.
    pub start_time: u64,
    /// The id of the boot.
    pub boot_id: String,
}

impl ProcessId {
    /// The process that has `pid` now; `None` if there is none.
    pub fn of(pid: u32) -> Option<Self> {
        Some(Self { pid, start_time: start_time(pid)?, boot_id: boot_id().to_owned() })
    }

    /// The identity of a process that was started just now and may have ended already.
    pub fn born_now(pid: u32) -> Self {
        Self { pid, start_time: clock::ticks_since_boot(), boot_id: boot_id().to_owned() }
    }

    /// Whether the process still lives; a zombie does not.
    pub fn is_alive(&self) -> bool {
        self.stat().is_some()
    }

    /// Whether the machine has not been rebooted since the process started.
    pub fn is_of_this_boot(&self) -> bool {
        self.boot_id == boot_id()
    }

    /// The line of `/proc/<pid>/stat` of this very process; `None` if it has ended, also if it is a zombie.
    pub fn stat(&self) -> Option<Stat> {
        let stat = self.is_of_this_boot().then(|| Stat::of_living(self.pid)).flatten();
        stat.filter(|stat| stat.start_time == self.start_time)
    }

    /// How long ago the process was started, to a hundredth of a second, whether it still lives or not.
    pub fn age(&self) -> Duration {
        clock::since_boot().saturating_sub(clock::of_ticks(self.start_time))
    }
}

/// When a process started, in clock ticks since boot; `None` if there is no such process, or only its zombie.
pub fn start_time(pid: u32) -> Option<u64> {
    Stat::of_living(pid).map(|stat| stat.start_time)
}

/// The id of the current boot, read once per process.
pub fn boot_id() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| {
        let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        id.trim_end().to_owned()
    })
}
