//! Why an app.json is refused.

use procfile::NotText;

/// A refusal. It displays as a fragment that begins with the place in the file; the caller adds the file's name in
/// front.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// For the author: the bytes are not text.
    #[error(transparent)]
    NotText(#[from] NotText),
    /// For the author: the text is not JSON.
    #[error("line {line}, column {column}: {what}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// The column, from 1, in characters.
        column: usize,
        /// The problem at that place.
        what: String,
    },
    /// For the author: a value that its key cannot have.
    #[error("{}{wanted} is wanted, not {got}", if place.is_empty() { String::new() } else { format!("{place}: ") })]
    Value {
        /// The place: `healthchecks.web[0].attempts`; empty for the whole file.
        place: String,
        /// What would be right, with its article: `a whole number`.
        wanted: &'static str,
        /// What the file has there, shortened.
        got: String,
    },
    /// For the author: a key that is not a process type, or a value whose problem needs a sentence of its own.
    #[error("{place}: {why}")]
    Name {
        /// The place.
        place: String,
        /// The problem.
        why: String,
    },
}
