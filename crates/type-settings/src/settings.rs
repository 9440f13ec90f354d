//! The settings of one process type.

use formation::RestartPolicy;

use crate::value::Whole;

/// What was set for one process type; `None`: nobody set it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypeSettings {
    /// `PORT` of its first instance.
    pub port: Option<Whole<1, 65_535>>,
    /// What happens to an instance that ends by itself.
    pub restart_policy: Option<RestartPolicy>,
    /// From the stop signal to SIGKILL.
    pub stop_timeout_seconds: Option<Whole<0, 86_400>>,
}

impl TypeSettings {
    /// Whether nothing was set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
