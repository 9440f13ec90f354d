//! The app that the suite deploys.

use std::time::Duration;

use formation::RestartPolicy;

use crate::Source;

/// What the suite deploys: a process of type `web` that runs until it is ended.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Its source.
    pub source: Source,
    /// Its command, `None` if the source has one.
    pub command: Option<String>,
    /// Its restart policy.
    pub restart_policy: RestartPolicy,
    /// Its grace period.
    pub stop_timeout: Duration,
}
