//! Runs: one life of one process tree or container in a slot. During a rollout a slot holds two of them.

use std::fmt;

use formation::Slot;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

/// The highest number that a run can have, which is far more than any app comes to, and what every reader of JSON can hold. What
/// says more than that was damaged, and is refused where it is read, so that one can always be added to a number.
pub const HIGHEST_NUMBER: u64 = 1 << 53;

/// Reads the number of a run.
pub(crate) fn number<'a, D: Deserializer<'a>>(from: D) -> Result<u64, D::Error> {
    let number = u64::deserialize(from)?;
    if number > HIGHEST_NUMBER {
        return Err(D::Error::custom(format!("no run has the number {number}")));
    }
    Ok(number)
}

/// One life in one slot, written `web.1@17`. The number is never used again in that app, so that whoever starts a run
/// can tell by the number whether it did so already.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Run {
    /// The slot it fills.
    pub slot: Slot,
    /// Its number within the app.
    #[serde(deserialize_with = "number")]
    pub number: u64,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.slot, self.number)
    }
}

/// Which of a slot's two places a run takes. Two runs of a slot live side by side only on different lanes: natively a
/// lane is a port, and for a container it is whether it publishes the slot's ports on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lane {
    /// The slot's own: where clients look for it when nothing stands between them and the run.
    Own,
    /// The one that exists while two runs overlap.
    Second,
}

impl Lane {
    /// The lane that is free while a run lives on this one.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Own => Self::Second,
            Self::Second => Self::Own,
        }
    }
}

/// Which part a run plays in its slot, in the order of who stays if a rollout goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It fills the slot.
    Current,
    /// It is to fill the slot, and is proving itself.
    Incoming,
    /// It filled the slot, and is ending.
    Leaving,
}

impl Role {
    /// The word in rows of status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Incoming => "incoming",
            Self::Leaving => "leaving",
        }
    }
}

/// What a run was, or is to be, started from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Revision {
    /// What the app ran before the rollout.
    Old,
    /// What it is to run afterwards.
    New,
}
