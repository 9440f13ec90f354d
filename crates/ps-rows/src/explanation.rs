//! The row of `ps-explain`.

use jiff::Timestamp;
use serde::Serialize;

/// An explanation of the state of an app, or of an instance of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplanationRow {
    /// The app.
    pub app: String,
    /// The instance with the most severe problem; null if the app as a whole is explained.
    pub instance: Option<String>,
    /// The state of the instance, a word of `ps-lifecycle status`, or null.
    pub state: Option<&'static str>,
    /// The time that is explained.
    pub at: Timestamp,
    /// The cause, one of a fixed set of words: `healthy`, `unknown`, `out-of-memory`, …
    pub cause: &'static str,
    /// The problem: a fragment of a sentence for people.
    pub situation: String,
    /// The reasons: the cause first, then further facts.
    pub reasons: Vec<ReasonRow>,
    /// What to do, or null.
    pub cure: Option<String>,
}

/// A reason, and the evidence for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReasonRow {
    /// The cause, one of a fixed set of words.
    pub cause: &'static str,
    /// A sentence for people, without its full stop.
    pub says: String,
    /// The evidence.
    pub evidence: Vec<EvidenceRow>,
}

/// A piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EvidenceRow {
    /// `journal`, `output`, `status`, `file`, `sockets`, `engine`.
    pub source: &'static str,
    /// The file, or null.
    pub file: Option<String>,
    /// The offset of the line in the file, in bytes, or null.
    pub offset: Option<u64>,
    /// When it was written, or null.
    pub at: Option<Timestamp>,
}
