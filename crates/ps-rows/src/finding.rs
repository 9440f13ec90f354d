//! The row of `doctor`.

use serde::Serialize;

/// The result of one check of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The machine is as it should be.
    Pass,
    /// The machine works less well than it could, or not for every user.
    Warn,
    /// A thing that apps here need does not work.
    Fail,
}

impl Verdict {
    /// The word that is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One check, and its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FindingRow {
    /// The check: a short name that stays the same.
    pub check: &'static str,
    /// The result.
    pub verdict: Verdict,
    /// What the check has found: one sentence.
    pub found: String,
    /// What to do about it, unless it passed.
    pub cure: Option<String>,
}

impl FindingRow {
    /// A check that has passed.
    pub fn pass(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Pass, found: found.into(), cure: None }
    }

    /// A check that has found something that works less well than it could.
    pub fn warn(check: &'static str, found: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Warn, found: found.into(), cure: Some(cure.into()) }
    }

    /// A check that has found something that does not work.
    pub fn fail(check: &'static str, found: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Fail, found: found.into(), cure: Some(cure.into()) }
    }
}
