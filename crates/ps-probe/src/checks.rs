//! The checks of one process type, by the time at which they are run.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Check;

/// The checks of each instance of a type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checks {
    /// Startup checks: an instance is ready once all of them have succeeded, in this order.
    #[serde(default)]
    pub startup: Vec<Check>,
    /// Liveness checks, which are made while the instance is ready: an instance that fails one is restarted.
    #[serde(default)]
    pub liveness: Vec<Check>,
    /// Readiness checks, which are made while the instance is ready: an instance that fails one is not ready,
    /// and keeps running.
    #[serde(default)]
    pub readiness: Vec<Check>,
}

impl Checks {
    /// The longest time until an instance has passed all startup checks, or has failed one for good.
    pub fn longest_startup(&self) -> Duration {
        self.startup.iter().map(Check::longest).fold(Duration::ZERO, Duration::saturating_add)
    }

    /// Whether there are any checks.
    pub fn are_any(&self) -> bool {
        self.all().next().is_some()
    }

    /// Whether one of them runs a command.
    pub fn run_commands(&self) -> bool {
        self.all().any(Check::runs_a_command)
    }

    fn all(&self) -> impl Iterator<Item = &Check> {
        [&self.startup, &self.liveness, &self.readiness].into_iter().flatten()
    }
}
