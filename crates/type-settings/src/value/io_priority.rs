//! The priority of reads and writes.

use std::fmt;
use std::str::FromStr;

/// A class of ioprio_set(2), with the level within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoPriority {
    /// Served when no other process uses the disk.
    Idle,
    /// Among the others, 0 before 7.
    BestEffort(u8),
    /// Before all others, 0 before 7.
    Realtime(u8),
}

impl FromStr for IoPriority {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text == "idle" {
            return Ok(Self::Idle);
        }
        let (class, level) = text.split_once(':').ok_or(())?;
        let level = match level.as_bytes() {
            [digit @ b'0'..=b'7'] => digit - b'0',
            _ => return Err(()),
        };
        match class {
            "best-effort" => Ok(Self::BestEffort(level)),
            "realtime" => Ok(Self::Realtime(level)),
            _ => Err(()),
        }
    }
}

impl fmt::Display for IoPriority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle => f.write_str("idle"),
            Self::BestEffort(level) => write!(f, "best-effort:{level}"),
            Self::Realtime(level) => write!(f, "realtime:{level}"),
        }
    }
}
