//! The checks of one process type, by when they are asked.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Check;

/// What is asked of each instance of a type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checks {
    /// What must hold before an instance is ready, in this order.
    #[serde(default)]
    pub startup: Vec<Check>,
    /// What is asked from then on; an instance that fails is to be started again.
    #[serde(default)]
    pub liveness: Vec<Check>,
    /// What is asked from then on; an instance that fails is not ready, and runs on.
    #[serde(default)]
    pub readiness: Vec<Check>,
}

impl Checks {
    /// How long it may take until an instance has passed the startup checks, or one has failed for good.
    pub fn longest_startup(&self) -> Duration {
        self.startup.iter().map(Check::longest).fold(Duration::ZERO, Duration::saturating_add)
    }

    /// Whether one of them runs a command.
    pub fn run_commands(&self) -> bool {
        let all = [&self.startup, &self.liveness, &self.readiness].into_iter().flatten();
        all.into_iter().any(Check::runs_a_command)
    }
}
