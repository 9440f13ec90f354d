//! The files of one output stream. Bytes are spliced from the FIFO that a process writes to, and lines are read and
//! followed over all segments of the stream, whatever other programs do to the files.
//!
//! This crate does not know which process wrote a stream, and never changes a byte of it.

mod capture;
mod check;
mod error;
mod extent;
mod fifo;
mod last_lines;
mod limits;
mod line;
mod line_times;
mod log;
mod lost;
mod open_segment;
mod own_file;
mod pack;
mod packed;
mod piece;
mod prune;
mod range;
mod reader;
mod run_reader;
mod series;
mod skim;
mod tail;
mod target;
mod times;
mod upkeep;

pub use capture::{Capture, Moved};
pub use error::Error;
pub use fifo::{is_held, writing_end};
pub use last_lines::{Place, last_lines};
pub use limits::{Limits, WhenFull};
pub use line::Line;
pub use lost::Lost;
pub use own_file::{OwnFile, OwnLine, OwnPlace, OwnRange};
pub use pack::tidy;
pub use range::Range;
pub use reader::Reader;
pub use series::{Segment, Series};
pub use skim::Skim;
pub use upkeep::Upkeep;

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
