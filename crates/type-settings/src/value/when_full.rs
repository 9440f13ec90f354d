//! What happens to output while the disk is full.

use std::fmt;
use std::str::FromStr;

/// What happens to output while the disk is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// It is dropped, and the dropped bytes are counted.
    Drop,
    /// It waits in the pipe, and the process that writes it waits too.
    Block,
}

impl FromStr for WhenFull {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "drop" => Ok(Self::Drop),
            "block" => Ok(Self::Block),
            _ => Err(()),
        }
    }
}

impl fmt::Display for WhenFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Drop => "drop",
            Self::Block => "block",
        })
    }
}
