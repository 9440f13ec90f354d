//! The row of a verb for all apps.

use serde::Serialize;

/// The result of a verb for one app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerbRow<'a> {
    /// The app.
    pub app: &'a str,
    /// The verb.
    pub verb: &'static str,
    /// `done` or `failed`; for `restore` also `stopped`: the app had been stopped before, and stays so.
    pub outcome: &'static str,
    /// How long the verb took, in milliseconds.
    pub took_ms: u64,
    /// Why it failed, or null.
    pub error: Option<String>,
    /// How many of the app's instances are up; only for `restore`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub up: Option<usize>,
    /// How many instances are wanted, except those that have finished or were stopped by hand; only for
    /// `restore`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wanted: Option<usize>,
}
