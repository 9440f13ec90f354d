//! How a process ended, in the form that scripts read.

use std::fmt;

use formation::{Exit, OutOfMemory};
use serde::Serialize;

/// How a process ended: `{"code":1}` or `{"signal":9}` in JSON, `code 1` or `signal 9` in CSV and in text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitRow {
    /// It exited by itself, with this exit status.
    Code(i32),
    /// It was ended by this signal.
    Signal(i32),
}

impl From<Exit> for ExitRow {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Code(code) => Self::Code(code),
            Exit::Signal(signal) => Self::Signal(signal),
        }
    }
}

impl fmt::Display for ExitRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// The kernel killed the instance, or a process of it, because memory had run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct OutOfMemoryRow {
    /// The limit that was reached, in bytes; `None`: the memory of the machine ran out.
    pub limit_bytes: Option<u64>,
    /// Whether the killed process was the main process.
    pub main: bool,
}

impl From<OutOfMemory> for OutOfMemoryRow {
    fn from(OutOfMemory { limit_bytes, main }: OutOfMemory) -> Self {
        Self { limit_bytes, main }
    }
}

impl fmt::Display for OutOfMemoryRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit_bytes, main } = *self;
        OutOfMemory { limit_bytes, main }.fmt(f)
    }
}
