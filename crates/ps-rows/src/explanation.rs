//! The row of `ps-explain`.

use jiff::Timestamp;
use serde::Serialize;

/// Why an app, or an instance of it, is as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplanationRow {
    /// The app.
    pub app: String,
    /// The instance that is worst off; null: the app as a whole is explained.
    pub instance: Option<String>,
    /// What that is doing, in the words of `ps-lifecycle status`, or null.
    pub state: Option<&'static str>,
    /// The moment that is explained.
    pub at: Timestamp,
    /// The cause, a word that stays the same: `healthy`, `unknown`, `out-of-memory`, …
    pub cause: &'static str,
    /// What is wrong: a fragment for people.
    pub situation: String,
    /// Why: the cause first, then what else there is to know.
    pub reasons: Vec<ReasonRow>,
    /// What to do, or null.
    pub cure: Option<String>,
}

/// A reason, and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReasonRow {
    /// A word that stays the same.
    pub cause: &'static str,
    /// A sentence for people, without its full stop.
    pub says: String,
    /// What it rests on.
    pub evidence: Vec<EvidenceRow>,
}

/// What a reason rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EvidenceRow {
    /// `journal`, `output`, `status`, `file`, `sockets`, `engine`.
    pub source: &'static str,
    /// The file, or null.
    pub file: Option<String>,
    /// The byte in it at which the line begins, or null.
    pub offset: Option<u64>,
    /// When it was written, or null.
    pub at: Option<Timestamp>,
}
