//! How often an instance may be started again within a period.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::value::span::Span;

/// The largest number of starts. It is limited because the status of each slot stores the time of each start.
const MOST: u32 = 50;

/// A number of starts within a period: `5/10m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartLimit {
    starts: u32,
    within: Span,
}

impl StartLimit {
    /// The number of starts.
    pub fn starts(self) -> u32 {
        self.starts
    }

    /// The period.
    pub fn within(self) -> Duration {
        self.within.get()
    }
}

impl FromStr for StartLimit {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (starts, within) = text.split_once('/').ok_or(())?;
        let is_plain = starts.bytes().all(|byte| byte.is_ascii_digit());
        let starts: u32 = starts.parse().map_err(|_| ())?;
        let within: Span = within.parse()?;
        let is_some = is_plain && (1..=MOST).contains(&starts) && !within.get().is_zero();
        if is_some { Ok(Self { starts, within }) } else { Err(()) }
    }
}

impl fmt::Display for StartLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.starts, self.within)
    }
}
