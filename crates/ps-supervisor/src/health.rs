//! How a run is found ready, and how it is watched from then on. What is asked stands in the spec; what follows from an answer the
//! run decides. Nothing here waits: the supervisor's loop looks again when a descriptor has news, or when it is time.

mod command;
mod monitor;
mod notice;
mod round;

use std::time::Duration;

use ps_probe::Checks;
use serde::{Deserialize, Serialize};

pub(crate) use command::{CommandTry, Ending, Killer, Runner, Surroundings, is_check};
pub(crate) use monitor::{Finding, Monitor};
pub(crate) use notice::{Notice, notices};
pub(crate) use round::Asked;

/// How long a run must live in any case. A main process that ends with success sooner, and leaves others running, meant to be a daemon.
pub(crate) const LEAST_LIFE: Duration = Duration::from_secs(1);

/// How the instances of a type are found ready, and are watched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// What makes an instance ready, beside its startup checks.
    #[serde(default)]
    pub ready: Ready,
    /// How long after its start it must be ready; `None`: whenever.
    #[serde(default)]
    pub deadline: Option<Duration>,
    /// What is asked of it.
    #[serde(default)]
    pub checks: Checks,
    /// How often it has to say that it lives; `None`: never.
    #[serde(default)]
    pub watchdog: Option<Duration>,
}

/// What makes an instance ready, beside its startup checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ready {
    /// It has lived for a second.
    #[default]
    Alive,
    /// Its port is listened on.
    Listening,
    /// It says so (`READY=1`).
    Notify,
}

impl Health {
    /// Whether its processes are told where they can say how they are.
    pub(crate) fn is_told(&self) -> bool {
        self.ready == Ready::Notify || self.watchdog.is_some()
    }
}
