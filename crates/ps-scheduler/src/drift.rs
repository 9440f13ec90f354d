//! Differences between a running instance and its present settings.

use std::fmt;

use formation::Slot;

/// One setting of one running instance that has changed since the instance was started, or that another program has
/// changed in the running instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// The instance.
    pub slot: Slot,
    /// The name of the setting.
    pub setting: &'static str,
    /// The value that the instance runs with; `None`: it runs without any. It is never a value that could be a
    /// secret.
    pub runs_with: Option<String>,
    /// The value with which the instance would be started now.
    pub is_set: Option<String>,
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        write!(
            f,
            "{} {}: runs with {}, set is {}; takes effect at the next deploy or restart",
            self.slot,
            self.setting,
            word(&self.runs_with),
            word(&self.is_set)
        )
    }
}
