//! The row of `doctor`.

use serde::Serialize;

/// What one look at the machine came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Pass,
    /// Something works less well than it could, or not for everybody.
    Warn,
    /// Something that apps here need does not work.
    Fail,
}

impl Verdict {
    /// As it is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FindingRow {
    /// What was looked at: a short name that stays the same.
    pub check: &'static str,
    /// What it came to.
    pub verdict: Verdict,
    /// What was found: one sentence.
    pub found: String,
    /// What to do about it, unless it passed.
    pub cure: Option<String>,
}

impl FindingRow {
    /// It is as it should be.
    pub fn pass(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Pass, found: found.into(), cure: None }
    }

    /// It works less well than it could.
    pub fn warn(check: &'static str, found: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Warn, found: found.into(), cure: Some(cure.into()) }
    }

    /// It does not work.
    pub fn fail(check: &'static str, found: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Fail, found: found.into(), cure: Some(cure.into()) }
    }
}
