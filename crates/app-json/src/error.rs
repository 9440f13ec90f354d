//! Why a file is refused.

use procfile::NotText;

/// A refusal. Displays as a fragment that begins with the place: whoever read the file puts its name before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The author: the bytes are no text.
    #[error(transparent)]
    NotText(#[from] NotText),
    /// The author: the text is no JSON.
    #[error("line {line}, column {column}: {what}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// The column, from 1, in characters.
        column: usize,
        /// What is wrong there.
        what: String,
    },
    /// The author: a value that its key cannot have.
    #[error("{}{wanted} is wanted, not {got}", if place.is_empty() { String::new() } else { format!("{place}: ") })]
    Value {
        /// Where, `healthchecks.web[0].attempts`; empty for the whole file.
        place: String,
        /// What would be right, with its article.
        wanted: &'static str,
        /// What stands there, shortened.
        got: String,
    },
    /// The author: a key that is no process type, or a value of which more is to be said than what would be right.
    #[error("{place}: {why}")]
    Name {
        /// Where.
        place: String,
        /// What is wrong with it.
        why: String,
    },
}
