//! How often an instance was started again, by reason.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Exit;

/// Why an instance was started again although no person asked for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestartReason {
    /// The process failed (by its exit status, or by a signal that a fault of its own causes, such as SIGSEGV), or it could
    /// not be started.
    Crash,
    /// A signal from outside ended it.
    Signal,
    /// The kernel killed it because memory had run out.
    #[serde(rename = "oom")]
    OutOfMemory,
    /// It failed a check, was not ready in time, or took too long.
    Unhealthy,
    /// It ended with success, and its restart policy starts it again all the same.
    Ended,
    /// It used more memory than `memory-restart` allows.
    Memory,
    /// Watched files have changed.
    Watch,
    /// A scheduled task of the app asked for it.
    Schedule,
    /// Nobody saw how it ended, or a later version knows the reason.
    #[serde(other)]
    Unknown,
}

impl RestartReason {
    /// All reasons, in the order in which they are shown.
    pub const ALL: [Self; 9] = [
        Self::Crash,
        Self::Signal,
        Self::OutOfMemory,
        Self::Unhealthy,
        Self::Ended,
        Self::Memory,
        Self::Watch,
        Self::Schedule,
        Self::Unknown,
    ];

    /// Its name in files, JSON and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::Signal => "signal",
            Self::OutOfMemory => "oom",
            Self::Unhealthy => "unhealthy",
            Self::Ended => "ended",
            Self::Memory => "memory",
            Self::Watch => "watch",
            Self::Schedule => "schedule",
            Self::Unknown => "unknown",
        }
    }

    /// The reason for a process that ended by itself; `exit` is `None` if nobody saw how. An end that the restart policy
    /// counts as success is [`Self::Ended`], whatever the exit status is.
    pub fn of_exit(exit: Option<Exit>, is_success: bool) -> Self {
        match exit {
            None => Self::Unknown,
            Some(_) if is_success => Self::Ended,
            Some(Exit::Code(_)) => Self::Crash,
            Some(Exit::Signal(signal)) if FAULTS.contains(&signal) => Self::Crash,
            Some(Exit::Signal(_)) => Self::Signal,
        }
    }
}

/// The signals that the kernel or the C library sends for a fault of the program: SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE,
/// SIGSEGV, SIGXCPU, SIGXFSZ and SIGSYS. Each has this number on all platforms of Linux but MIPS, Alpha and SPARC.
const FAULTS: [i32; 9] = [4, 5, 6, 7, 8, 11, 24, 25, 31];

/// How often an instance was started again, by reason. In a file it is an object with one key for each reason that occurred;
/// reasons that only a later version knows are left out when it is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Restarts([u32; RestartReason::ALL.len()]);

impl Restarts {
    /// Counts one restart.
    pub fn count(&mut self, reason: RestartReason) {
        let counted = &mut self.0[reason as usize];
        *counted = counted.saturating_add(1);
    }

    /// How many restarts had this reason.
    pub fn of(&self, reason: RestartReason) -> u32 {
        self.0[reason as usize]
    }

    /// Each reason with its number, also the reasons that did not occur.
    pub fn iter(&self) -> impl Iterator<Item = (RestartReason, u32)> {
        RestartReason::ALL.into_iter().map(|reason| (reason, self.of(reason)))
    }

    /// The number of restarts for any reason.
    pub fn total(&self) -> u32 {
        self.0.iter().fold(0, |total, count| total.saturating_add(*count))
    }

    /// Whether there was no restart.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The reasons that occurred: `2 crash, 1 oom`.
impl std::fmt::Display for Restarts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let occurred = self.iter().filter(|(_, count)| *count > 0);
        for (index, (reason, count)) in occurred.enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{count} {}", reason.as_str())?;
        }
        Ok(())
    }
}

impl Serialize for Restarts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let occurred = self.iter().filter(|(_, count)| *count > 0);
        serializer.collect_map(occurred.map(|(reason, count)| (reason.as_str(), count)))
    }
}

impl<'de> Deserialize<'de> for Restarts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written: BTreeMap<String, u32> = BTreeMap::deserialize(deserializer)?;
        Ok(Self(RestartReason::ALL.map(|reason| written.get(reason.as_str()).copied().unwrap_or(0))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_counted_in_a_place_of_its_own_and_read_back() {
        let mut restarts = Restarts::default();
        for (index, reason) in RestartReason::ALL.into_iter().enumerate() {
            (0..=index).for_each(|_| restarts.count(reason));
        }
        let counts: Vec<u32> = restarts.iter().map(|(_, count)| count).collect();
        assert_eq!(counts, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        let json = serde_json::to_string(&restarts).expect("plain data");
        assert_eq!(serde_json::from_str::<Restarts>(&json).expect("read"), restarts, "{json}");
    }

    #[test]
    fn only_what_occurred_is_written_and_a_reason_of_a_later_version_is_left_out() {
        let read: Restarts = serde_json::from_str(r#"{"oom":1,"crash":2,"moon":7}"#).expect("read");
        assert_eq!(serde_json::to_string(&read).expect("written"), r#"{"crash":2,"oom":1}"#);
        assert_eq!(
            (read.to_string(), Restarts::default().to_string()),
            ("2 crash, 1 oom".into(), String::new())
        );
        assert!(Restarts::default().is_empty() && !read.is_empty());
    }

    #[test]
    fn a_fault_is_a_crash_and_other_signals_come_from_outside() {
        let of = |exit, is_success| RestartReason::of_exit(Some(exit), is_success).as_str();
        assert_eq!([of(Exit::Code(1), false), of(Exit::Signal(11), false)], ["crash", "crash"]);
        assert_eq!([of(Exit::Signal(9), false), of(Exit::Signal(15), false)], ["signal", "signal"]);
        assert_eq!([of(Exit::Code(0), true), of(Exit::Code(3), true)], ["ended", "ended"]);
        assert_eq!(RestartReason::of_exit(None, false), RestartReason::Unknown);
    }
}
