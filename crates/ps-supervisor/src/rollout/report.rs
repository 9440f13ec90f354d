//! How a rollout goes, as whoever watches a supervisor is told.

use ps_rollout::{Outcome, State};
use serde::{Deserialize, Serialize};

use crate::status::Status;

/// A rollout, now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The revision that the app is to get.
    pub revision: u64,
    /// What it is doing.
    pub stage: Stage,
    /// What has come of it, once it is over.
    pub outcome: Option<Outcome>,
    /// Each new run that failed, as it was then: its logs tell more.
    #[serde(default)]
    pub failed: Vec<Status>,
    /// Why it could not be written down, if it could not: then it was put back.
    #[serde(default)]
    pub unwritten: Option<String>,
}

/// What a rollout is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It has not begun.
    Idle,
    /// It is on its way.
    Rolling,
    /// It has failed or was cancelled, and what was there before is being put back.
    PuttingBack,
    /// The new revision is recorded; what it replaced may still be ending.
    Committed,
    /// It has failed, and what was there before has been put back as far as possible.
    Failed,
    /// Something that only a later version understands.
    #[serde(other)]
    Unknown,
}

impl From<State> for Stage {
    fn from(state: State) -> Self {
        match state {
            State::Idle => Self::Idle,
            State::Rolling => Self::Rolling,
            State::PuttingBack => Self::PuttingBack,
            State::Committed => Self::Committed,
            State::Failed => Self::Failed,
        }
    }
}
