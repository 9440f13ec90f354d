//! What a reader hands out.

/// A line that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The run whose segment it stands in.
    pub run: u64,
    /// Its bytes, without its end.
    pub bytes: Vec<u8>,
}
