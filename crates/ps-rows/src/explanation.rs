//! The row of `ps-explain`.

use jiff::Timestamp;
use serde::Serialize;

/// An explanation of the state of an app, or of an instance of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplanationRow {
    /// The app.
    pub app: String,
    /// The instance that is worst off; null: the app as a whole is explained.
    pub instance: Option<String>,
    /// Its state, in the words of `ps-lifecycle status`, or null.
    pub state: Option<&'static str>,
    /// The moment that is explained.
    pub at: Timestamp,
    /// The cause, one of a fixed set of words: `healthy`, `unknown`, `out-of-memory`, …
    pub cause: &'static str,
    /// What is wrong: a fragment for people.
    pub situation: String,
    /// The reasons: the cause first, then further facts.
    pub reasons: Vec<ReasonRow>,
    /// What to do, or null.
    pub cure: Option<String>,
}

/// A reason, and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReasonRow {
    /// The cause, one of a fixed set of words.
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
