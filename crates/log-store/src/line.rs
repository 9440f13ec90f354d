//! The lines that a reader returns.

/// A line that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The run whose segment it stands in.
    pub run: u64,
    /// Its bytes, without the line end.
    pub bytes: Vec<u8>,
}
