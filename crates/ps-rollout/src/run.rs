//! Runs: one life of a process tree or container in a slot. During a rollout a slot has two.

use std::fmt;

use formation::Slot;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

/// The highest number of a run. It is far beyond the number of any app's runs, and every reader of JSON can hold it. A
/// higher number in a file is damaged and refused, so a number can always be incremented.
pub const HIGHEST_NUMBER: u64 = 1 << 53;

/// Deserialises the number of a run.
pub(crate) fn number<'a, D: Deserializer<'a>>(from: D) -> Result<u64, D::Error> {
    let number = u64::deserialize(from)?;
    if number > HIGHEST_NUMBER {
        return Err(D::Error::custom(format!("no run has the number {number}")));
    }
    Ok(number)
}

/// One life in one slot, written `web.1@17`. A number is never used again in that app, so an executor can tell whether it
/// has started the run already.
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

/// Which of a slot's two places a run takes. Two runs of a slot live side by side only on different lanes. Natively, a lane
/// is a port; for a container it decides whether the slot's ports are published on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lane {
    /// The slot's own: clients that are not routed by a proxy reach the run there.
    Own,
    /// The second one, which exists while two runs overlap.
    Second,
}

impl Lane {
    /// The other lane.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Own => Self::Second,
            Self::Second => Self::Own,
        }
    }
}

/// The role of a run in its slot. If a rollout goes no further, the first in this order stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The run fills the slot.
    Current,
    /// The run is to fill the slot, and has not proven itself yet.
    Incoming,
    /// The run filled the slot, and is ending.
    Leaving,
}

impl Role {
    /// Its name in rows of status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Incoming => "incoming",
            Self::Leaving => "leaving",
        }
    }
}

/// The revision that a run is started from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Revision {
    /// The revision before the rollout.
    Old,
    /// The revision after it.
    New,
}
