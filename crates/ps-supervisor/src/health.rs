//! How the supervisor decides that a run is ready, and how it watches a ready run. The spec says what is checked; the run
//! decides what follows from a result. Nothing here blocks: the event loop calls again when a descriptor is readable or a
//! deadline is due.

mod asked;
mod command;
mod monitor;
mod notice;
mod question;
mod round;

use std::time::Duration;

use ps_probe::Checks;
use serde::{Deserialize, Serialize};

pub(crate) use asked::Asked;
pub(crate) use command::{CommandTry, Ending, Killer, Runner, Surroundings, is_check};
pub(crate) use monitor::{Finding, Monitor};
pub(crate) use notice::{Notice, notices};
pub use question::Question;

/// The least life of every run. If the main process exits with success sooner and leaves other processes behind, it is
/// taken for a program that turns itself into a daemon.
pub(crate) const LEAST_LIFE: Duration = Duration::from_secs(1);
/// How much longer than a run's own deadline the rollout waits, so that the run itself can say what it has not done.
pub(crate) const SPEAKS_FIRST: Duration = Duration::from_secs(2);

/// How an instance of a type becomes ready, and how it is watched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The condition for being ready, beside the startup checks.
    #[serde(default)]
    pub ready: Ready,
    /// How long after its start an instance must be ready; `None`: there is no deadline.
    #[serde(default)]
    pub deadline: Option<Duration>,
    /// The checks.
    #[serde(default)]
    pub checks: Checks,
    /// Whether a check uses its own port, if it has one. Earlier versions made each check at the instance's `PORT`, but recorded the ports
    /// all the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asks_own_ports: bool,
    /// The longest pause between two messages `WATCHDOG=1` of the process; `None`: there is no watchdog.
    #[serde(default)]
    pub watchdog: Option<Duration>,
    /// Whether failures are only reported. An instance that does not become ready in time then counts as ready, and a failed liveness
    /// check does not restart it, because a person may be debugging it. It is never set by a spec on disk.
    #[serde(skip)]
    pub only_tells: bool,
}

/// The condition for being ready, beside the startup checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ready {
    /// The process has lived for a second.
    #[default]
    Alive,
    /// One of its processes listens on its port.
    Listening,
    /// It has sent `READY=1` to the notify socket.
    Notify,
}

impl From<type_settings::Ready> for Ready {
    fn from(set: type_settings::Ready) -> Self {
        match set {
            type_settings::Ready::Alive => Self::Alive,
            type_settings::Ready::Listening => Self::Listening,
            type_settings::Ready::Notify => Self::Notify,
        }
    }
}

/// The beginning of the note about a run that counts as ready although it is not.
pub(crate) const NOT_READY: &str = "not ready: ";
/// The same of one that goes on although a liveness check failed.
pub(crate) const UNHEALTHY: &str = "unhealthy: ";
/// The same of one that goes on although its watchdog message did not come.
pub(crate) const SILENT: &str = "watchdog: ";
/// The same of one whose failed check is only to warn.
pub(crate) const WARNING: &str = "warning: ";
/// How notes begin that say of a run what its checks have found.
pub const TOLD: [&str; 4] = [NOT_READY, UNHEALTHY, SILENT, WARNING];

impl Health {
    /// Whether its processes get `NOTIFY_SOCKET`.
    pub fn is_told(&self) -> bool {
        self.ready == Ready::Notify || self.watchdog.is_some()
    }
}
