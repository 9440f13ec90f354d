//! What a rollout is to do: for each slot what becomes of it, and for each type how.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::time::Duration;

use formation::ProcessType;
use serde::{Deserialize, Serialize};

use crate::Lane;

/// Everything a rollout is to do to an app. A type with a slot that is wanted or filled stands in it, kept slots
/// included: they are part of what is recorded at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The types, each with its slots.
    pub types: BTreeMap<ProcessType, TypePlan>,
    /// The lowest number that no run of the app has had.
    pub next_number: u64,
}

/// What a rollout does to the slots of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypePlan {
    /// How it goes about it.
    pub rules: Rules,
    /// What becomes of each slot, by index.
    pub slots: BTreeMap<u16, Change>,
}

/// How a rollout goes about the slots of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// In which order old and new follow each other.
    pub strategy: Strategy,
    /// How many runs of the type are brought up at a time; with [`Strategy::OneByOne`] also how many slots may be
    /// empty at a time.
    pub max_parallel: NonZeroU16,
    /// How many trials of the type there may be at a time, with [`Strategy::OneByOne`]; `None`: `max_parallel`. A trial takes
    /// nobody's place, so that only the machine limits them.
    #[serde(default)]
    pub max_trials: Option<NonZeroU16>,
    /// Whether its runs have checks, which say that one is up. Of a run without them only its minimum life says so.
    #[serde(default)]
    pub is_checked: bool,
    /// How long a run must have lived before it passes the gate, besides its checks.
    pub minimum_life: Duration,
    /// How long after the order to start it a run's checks must have held.
    pub deadline: Duration,
}

/// In which order old and new follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// The new run is ready beside the old one before it takes over: for what has an address that can be shared or
    /// switched.
    Overlap,
    /// The new run proves itself in a trial on the second lane, which then ends. Afterwards slot for slot the old run
    /// ends and the new revision starts on the slot's own lane: for what must be found on its own port.
    OneByOne,
    /// Every old run of the type ends before the first new one starts: for workers of which two must never run. The one
    /// strategy that does not keep the promise that a failed rollout leaves the very runs there were.
    StopFirst,
}

impl Strategy {
    /// Every strategy.
    pub const ALL: [Self; 3] = [Self::Overlap, Self::OneByOne, Self::StopFirst];

    /// The word in files.
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

    /// How many of `count` slots of the type may be without a ready run at a time, on account of the rollout.
    pub fn max_unavailable(&self, count: usize) -> usize {
        match self.strategy {
            Strategy::Overlap => 0,
            Strategy::OneByOne => count.min(usize::from(self.max_parallel.get())),
            Strategy::StopFirst => count,
        }
    }
}

/// What becomes of one slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It runs, and is wanted as it is.
    Keep(Present),
    /// A new run starts in the empty slot.
    Start,
    /// What runs ends, after everything else has succeeded.
    Stop(Present),
    /// A run of the new revision takes the place of the old one.
    Replace(Present),
}

/// What fills a slot before the rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// The number of its run, or of its last one.
    pub number: u64,
    /// Where it lives.
    pub lane: Lane,
    /// Whether it lives. One that does not is in the hands of its restart policy, which may start it again until the
    /// rollout says [`crate::Action::End`].
    pub is_up: bool,
}
