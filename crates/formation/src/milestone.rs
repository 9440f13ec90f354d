//! How far an instance has come (started, ready or done), for types that wait for it.

use serde::{Deserialize, Serialize};

use crate::ProcessType;

/// How far an instance has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Milestone {
    /// Its process lives, or has ended by itself with success.
    Started,
    /// It is ready, or has ended by itself with success.
    Ready,
    /// It has ended by itself with success.
    Done,
}

impl Milestone {
    /// Every milestone.
    pub const ALL: [Self; 3] = [Self::Started, Self::Ready, Self::Done];

    /// The name in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Ready => "ready",
            Self::Done => "done",
        }
    }

    /// The text after "waits for db".
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Started => "to have started",
            Self::Ready => "to be ready",
            Self::Done => "to be done",
        }
    }
}

/// What a process type waits for: all wanted instances of another type have reached a milestone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The other type.
    pub process_type: ProcessType,
    /// The milestone that these have to reach.
    pub milestone: Milestone,
}
