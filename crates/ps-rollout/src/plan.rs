//! The plan of a rollout: the change of each slot, and the rules of each type.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::time::Duration;

use formation::{ProcessType, Wait};
use serde::{Deserialize, Serialize};

use crate::Lane;

/// The plan for an app. It contains every type with a slot that is wanted or filled. Slots that are kept are included,
/// because they are part of the record at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The types, each with its slots.
    pub types: BTreeMap<ProcessType, TypePlan>,
    /// The lowest number that no run of the app has had.
    pub next_number: u64,
}

/// The plan for the slots of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypePlan {
    /// The rules.
    pub rules: Rules,
    /// The types that it waits for.
    pub after: Vec<Wait>,
    /// The change of each slot, by index.
    pub slots: BTreeMap<u16, Change>,
}

/// How a rollout treats the slots of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// The order of old and new runs.
    pub strategy: Strategy,
    /// How many runs of the type are started at a time; with [`Strategy::OneByOne`] also how many slots may be empty at a
    /// time.
    pub max_parallel: NonZeroU16,
    /// With [`Strategy::OneByOne`], how many trials of the type there may be at a time; `None`: `max_parallel`. A trial
    /// empties no slot, so only the machine limits their number.
    #[serde(default)]
    pub max_trials: Option<NonZeroU16>,
    /// Whether its runs have checks, which say that a run is ready. Without them only the minimum life does.
    #[serde(default)]
    pub is_checked: bool,
    /// Whether its runs are not started again when they end. If they have no checks either, a run that ends with success is done,
    /// however early that is.
    #[serde(default)]
    pub may_end: bool,
    /// How long a run must have lived to pass the gate, in addition to its checks.
    pub minimum_life: Duration,
    /// How long after the order to start a run its checks must have succeeded.
    pub deadline: Duration,
}

/// The order of old and new runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// The new run is ready beside the old one before it takes over. For runs whose address can be shared or switched.
    Overlap,
    /// The new run proves itself in a trial on the second lane, which is then ended. Afterwards, slot by slot, the old run
    /// is ended and the new revision started on the slot's own lane. For runs that must be reached at their own port.
    OneByOne,
    /// Every old run of the type ends before the first new one starts. For workers of which two must never run. It is the
    /// only strategy without the promise that a failed rollout leaves the old runs untouched.
    StopFirst,
}

impl Strategy {
    /// Every strategy.
    pub const ALL: [Self; 3] = [Self::Overlap, Self::OneByOne, Self::StopFirst];

    /// Its name in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Overlap => "overlap",
            Self::OneByOne => "one-by-one",
            Self::StopFirst => "stop-first",
        }
    }
}

impl Rules {
    /// How many trials of the type there may be at a time.
    pub fn max_trials(&self) -> NonZeroU16 {
        self.max_trials.unwrap_or(self.max_parallel)
    }

    /// How many of `count` slots of the type may be without a ready run at a time because of the rollout.
    pub fn max_unavailable(&self, count: usize) -> usize {
        match self.strategy {
            Strategy::Overlap => 0,
            Strategy::OneByOne => count.min(usize::from(self.max_parallel.get())),
            Strategy::StopFirst => count,
        }
    }
}

/// The change of one slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The run is kept.
    Keep(Present),
    /// A new run starts in the empty slot.
    Start,
    /// The run is ended, after everything else has succeeded.
    Stop(Present),
    /// A run of the new revision replaces the old one.
    Replace(Present),
}

/// The run that fills a slot before the rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// The number of its run, or of its last one.
    pub number: u64,
    /// Its lane.
    pub lane: Lane,
    /// Whether it lives. If not, its restart policy may start it again until the rollout orders [`crate::Action::End`].
    pub is_up: bool,
}
