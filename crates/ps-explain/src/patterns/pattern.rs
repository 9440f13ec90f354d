//! A row of the table of signs: words, what they mean, and what to do.

/// A sign.
pub(crate) struct Pattern {
    /// The cause that it is a sign of.
    pub(crate) cause: &'static str,
    /// Any of these words, in lower case.
    pub(super) words: &'static [&'static str],
    /// What it means, as a sentence without a full stop.
    pub(crate) says: &'static str,
    /// What to do.
    pub(crate) cure: &'static str,
}

impl Pattern {
    /// Whether it says no more than that there was an error.
    pub(crate) fn is_wide(&self) -> bool {
        self.cause == EXCEPTION
    }
}

/// The cause of the row of an error of which nothing narrower is known.
pub(super) const EXCEPTION: &str = "exception";
