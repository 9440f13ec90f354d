//! Why a scheduler could not do what was asked, split by who must act.

use std::collections::BTreeMap;

use formation::{AppName, Slot};
use ps_rollout::Fate;

use crate::failed_slot::{self, FailedSlot};

/// A scheduler's refusal or failure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user: nothing of this app was ever deployed here.
    #[error("{app} is not deployed: run ps-lifecycle deploy {app} first")]
    NotDeployed {
        /// The app.
        app: AppName,
    },
    /// The user: the app has no such instance or type.
    #[error("{app} has no {which}: it has {present}")]
    NoSuchInstance {
        /// The app.
        app: AppName,
        /// What was asked for: a type or `<type>.<n>`.
        which: String,
        /// What there is instead, for people.
        present: String,
    },
    /// The user: what was to be deployed did not work. Displays a line for each slot that failed, then the aftermath.
    #[error("{}", failed_slot::told(app, failed, aftermath))]
    DeployFailed {
        /// The app.
        app: AppName,
        /// The slots that failed, at least one; the one that made the deploy fail comes first.
        failed: Vec<FailedSlot>,
        /// What has become of each slot; empty where the deploy failed before its rollout began.
        fates: BTreeMap<Slot, Fate>,
        /// What is not as it was before the deploy, one sentence each, such as how long nobody answered.
        aftermath: Vec<String>,
    },
    /// The user: something that the change needs is not there or makes no sense. It was found before anything was touched.
    #[error("{slot} of {app} cannot start: {reason}")]
    CannotStart {
        /// The app.
        app: AppName,
        /// The instance, `<type>.<n>`.
        slot: String,
        /// What is wrong with what, what to do, and what goes on.
        reason: String,
    },
    /// The user: this scheduler cannot do that at all.
    #[error("{scheduler} cannot {what}")]
    Unsupported {
        /// The scheduler's name.
        scheduler: String,
        /// What was asked for.
        what: &'static str,
    },
    /// The operator: the engine or supervisor did not answer, or not in time.
    #[error("{backend} did not answer: {reason}")]
    Unreachable {
        /// What was spoken to, and where: an engine and its socket, a supervisor and its directory.
        backend: String,
        /// Why, and what to do.
        reason: String,
    },
    /// The operator: the backend answered with a failure.
    #[error("{context}: {reason}")]
    Backend {
        /// What was being done, with what.
        context: String,
        /// What the backend said.
        reason: String,
    },
    /// The caller asked to stop; what was begun has been undone.
    #[error("interrupted")]
    Cancelled,
}
