//! The progress of a rollout, as it is reported to clients.

use balance::Receipt;
use ps_rollout::{Finding, Outcome, State};
use serde::{Deserialize, Serialize};

use crate::status::Status;

/// The current state of a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The new revision.
    pub revision: u64,
    /// What it is doing.
    pub stage: Stage,
    /// The outcome, once it is over.
    pub outcome: Option<Outcome>,
    /// The status of each new run that failed, as it was at that moment.
    #[serde(default)]
    pub failed: Vec<Status>,
    /// If the rollout was undone because it could not be recorded: why not.
    #[serde(default)]
    pub unwritten: Option<String>,
    /// What it has meant for clients; `None`: the app has no address, or it is not over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
    /// The progress of the comparison with the old revision; `None` if nothing is compared, or its runs are starting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Finding>,
}

/// The stage of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It has not begun.
    Idle,
    /// New runs are being started and old ones ended.
    Rolling,
    /// It failed or was cancelled, and the old revision is being restored.
    PuttingBack,
    /// The new revision has been recorded; replaced runs may still be ending.
    Committed,
    /// It failed, and the old revision has been restored as far as possible.
    Failed,
    /// A stage of a later version.
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
