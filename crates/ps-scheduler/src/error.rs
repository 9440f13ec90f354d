//! Why a scheduler could not do something. The variants are split by who has to act.

use std::collections::BTreeMap;

use formation::{AppName, Slot};
use ps_rollout::Fate;

use crate::failed_slot::{self, FailedSlot};

/// A scheduler's refusal or failure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user has to act: the app was never deployed here.
    #[error("{app} is not deployed: run ps-lifecycle deploy {app} first")]
    NotDeployed {
        /// The app.
        app: AppName,
    },
    /// The user has to act: the app has no such instance or type.
    #[error("{app} has no {which}: it has {present}")]
    NoSuchInstance {
        /// The app.
        app: AppName,
        /// The type or the slot that was asked for.
        which: String,
        /// The types or slots that exist, for people.
        present: String,
    },
    /// The user has to act: the deploy failed. Displays a line for each slot that failed, then the aftermath.
    #[error("{}", failed_slot::told(app, failed, aftermath))]
    DeployFailed {
        /// The app.
        app: AppName,
        /// The slots that failed; the one that made the deploy fail comes first.
        failed: Vec<FailedSlot>,
        /// The result for each slot; empty if the deploy failed before its rollout began.
        fates: BTreeMap<Slot, Fate>,
        /// What differs from the state before the deploy, one sentence each, such as an outage.
        aftermath: Vec<String>,
    },
    /// The user has to act: an input is missing or wrong. Nothing was changed.
    #[error("{slot} of {app} cannot start: {reason}")]
    CannotStart {
        /// The app.
        app: AppName,
        /// The instance, `<type>.<n>`.
        slot: String,
        /// What is wrong, what to do, and what still runs.
        reason: String,
    },
    /// The user has to act: this scheduler cannot do that at all.
    #[error("{scheduler} cannot {what}")]
    Unsupported {
        /// The scheduler's name.
        scheduler: String,
        /// What was asked for.
        what: &'static str,
    },
    /// The operator has to act: the engine or the supervisor did not answer in time.
    #[error("{backend} did not answer: {reason}")]
    Unreachable {
        /// An engine and its socket, or a supervisor and its directory.
        backend: String,
        /// Why, and what to do.
        reason: String,
    },
    /// The operator has to act: the engine or the supervisor reported a failure.
    #[error("{context}: {reason}")]
    Backend {
        /// What was being done, with what.
        context: String,
        /// The reported reason.
        reason: String,
    },
    /// The caller cancelled the verb; its changes have been undone.
    #[error("interrupted")]
    Cancelled,
}
