//! What is asked. A check names no instance, so that the same one is asked of each instance of a type.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One startup check of app.json's `healthchecks` (docs/programs/ps-lifecycle.md#deploy lists the keys that are read). Displays
/// as what an instance is to do: `accept`, or `answer GET /up with 2xx`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The path of a GET that must answer 2xx; `None`: the port must accept.
    pub path: Option<String>,
    /// Tries before it has failed, at least 1. A [`crate::Probe`] is one of them.
    pub attempts: u32,
    /// How long one try may take.
    pub timeout: Duration,
    /// How long to wait between tries.
    pub wait: Duration,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "answer GET {path} with 2xx"),
            None => f.write_str("accept"),
        }
    }
}
