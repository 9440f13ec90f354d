//! What an instance is doing, how a process ended, and which of its streams is meant.

use serde::{Deserialize, Serialize};

/// What an instance is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Not started yet: it waits for instances of other types, which have to come first.
    Waiting,
    /// Alive, not yet ready.
    Starting,
    /// Ready, or has no check.
    Running,
    /// Alive; it was ready and is not ready now. It is not restarted for that.
    Unready,
    /// Alive, but its checks fail.
    Unhealthy,
    /// Told to end, not gone yet.
    Stopping,
    /// Ended; waits to be started again.
    Backoff,
    /// Not running: it runs by a schedule, and waits for the next time.
    Scheduled,
    /// Ended, and not to be started again.
    Stopped,
    /// Ended too often: given up.
    Crashed,
    /// Recorded, but gone.
    Missing,
    /// Its scheduler did not answer, or reported a state that only a later version knows.
    #[serde(other)]
    Unknown,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Waiting,
        Self::Starting,
        Self::Running,
        Self::Unready,
        Self::Unhealthy,
        Self::Stopping,
        Self::Backoff,
        Self::Scheduled,
        Self::Stopped,
        Self::Crashed,
        Self::Missing,
        Self::Unknown,
    ];

    /// The name in JSON and on the terminal.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Unready => "unready",
            Self::Unhealthy => "unhealthy",
            Self::Stopping => "stopping",
            Self::Backoff => "backoff",
            Self::Scheduled => "scheduled",
            Self::Stopped => "stopped",
            Self::Crashed => "crashed",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
        }
    }

    /// Whether the state needs nobody's attention: the instance is alive, or waits for the time at which it is due.
    pub fn is_in_order(self) -> bool {
        self.is_alive() || self == Self::Scheduled
    }

    /// Whether a process or container exists and works, or is about to work.
    pub fn is_alive(self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Unready | Self::Unhealthy)
    }
}

/// How a process ended: `{"code":1}` or `{"signal":9}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// By itself, with this exit status.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Exit {
    /// Whether the process ended with exit status 0.
    pub fn is_success(self) -> bool {
        self == Self::Code(0)
    }
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// The kernel has killed a process because memory had run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutOfMemory {
    /// The limit that was reached, in bytes; `None`: the memory of the machine ran out.
    pub limit_bytes: Option<u64>,
    /// Whether the main process was killed, and not one that the main process had started.
    pub main: bool,
}

/// The sentence begins with this text if a process other than the main one was killed.
const OF_ANOTHER: &str = "a process of it was ";
const OF_LIMIT: &str = "killed by the kernel: out of memory (limit ";
const OF_MACHINE: &str = "killed by the kernel: the machine is out of memory";

impl std::fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let who = if self.main { "" } else { OF_ANOTHER };
        match self.limit_bytes {
            Some(bytes) => write!(f, "{who}{OF_LIMIT}{})", Bytes(bytes)),
            None => write!(f, "{who}{OF_MACHINE}"),
        }
    }
}

impl OutOfMemory {
    /// Parses the sentence that `Display` makes of a value, which is what the journal stores. The limit is the one that the sentence names, in
    /// whole KiB, MiB or GiB. `None`: the text is another sentence.
    pub fn told(sentence: &str) -> Option<Self> {
        let other = sentence.strip_prefix(OF_ANOTHER);
        let (main, how) = (other.is_none(), other.unwrap_or(sentence));
        if how == OF_MACHINE {
            return Some(Self { limit_bytes: None, main });
        }
        let (number, unit) = how.strip_prefix(OF_LIMIT)?.strip_suffix(')')?.split_once(' ')?;
        let shift = match unit {
            "KiB" => 10,
            "MiB" => 20,
            "GiB" => 30,
            _ => return None,
        };
        let bytes = number.parse::<u64>().ok()?.checked_mul(1 << shift)?;
        Some(Self { limit_bytes: Some(bytes), main })
    }
}

/// An amount of memory for people: `64 MiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl std::fmt::Display for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            bytes if bytes >= 1 << 30 && bytes.is_multiple_of(1 << 30) => write!(f, "{} GiB", bytes >> 30),
            bytes if bytes >= 1 << 20 => write!(f, "{} MiB", bytes >> 20),
            bytes => write!(f, "{} KiB", bytes >> 10),
        }
    }
}

/// Which stream a line was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// The name in JSON, and of its files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kill_for_want_of_memory_is_read_from_the_sentence_that_tells_it() {
        for limit_bytes in [None, Some(512 << 10), Some(40 << 20), Some(2 << 30)] {
            for main in [true, false] {
                let killed = OutOfMemory { limit_bytes, main };
                assert_eq!(OutOfMemory::told(&killed.to_string()), Some(killed), "{killed}");
            }
        }
        for other in
            ["not ready", "killed by the kernel: out of memory (limit 4 cups)", "a process of it was lost"]
        {
            assert_eq!(OutOfMemory::told(other), None, "{other}");
        }
    }
}
