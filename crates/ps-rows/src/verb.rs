//! The row of a verb for all apps.

use serde::Serialize;

/// What a verb came to for one app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerbRow<'a> {
    /// The app.
    pub app: &'a str,
    /// The verb.
    pub verb: &'static str,
    /// `done`, `failed`, or of `restore` `stopped`: the app had been stopped before and stays so.
    pub outcome: &'static str,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Why it failed, or null.
    pub error: Option<String>,
    /// How many of its instances are up; of `restore` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub up: Option<usize>,
    /// How many are wanted, but for those that have finished or were stopped by hand; of `restore` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wanted: Option<usize>,
}
