//! Which processes get the stop signal.

use std::fmt;
use std::str::FromStr;

/// Which processes of an instance get the stop signal. SIGKILL always goes to all processes that are left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StopTree {
    /// All processes.
    #[default]
    Whole,
    /// The main process, which has to end the others.
    Main,
}

impl StopTree {
    const ALL: [Self; 2] = [Self::Whole, Self::Main];
}

impl FromStr for StopTree {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|whom| whom.to_string() == text).ok_or(())
    }
}

impl fmt::Display for StopTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole => "whole",
            Self::Main => "main",
        })
    }
}
