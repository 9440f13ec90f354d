//! The lines that a reader returns.

use std::time::SystemTime;

use crate::last_lines::Place;

/// A line that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The run that wrote the segment of this line.
    pub run: u64,
    /// The bytes of the line, without the line end.
    pub bytes: Vec<u8>,
    /// When the first byte of the line was captured, exact to the second or better. `None` if that is unknown.
    pub at: Option<SystemTime>,
    /// The place where the next line begins.
    pub end: Place,
    /// How many bytes of the line were returned before, as the beginning of a line
    /// ([`Reader::begun`](crate::Reader::begun)).
    pub shown: usize,
}
