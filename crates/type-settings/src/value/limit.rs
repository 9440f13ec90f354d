//! A limit on a resource of a process.

use std::fmt;
use std::str::FromStr;

/// A whole number, or `unlimited`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(Option<u64>);

impl Limit {
    const UNLIMITED: &str = "unlimited";

    /// The number; `None`: there is no limit.
    pub fn get(self) -> Option<u64> {
        self.0
    }
}

impl FromStr for Limit {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text == Self::UNLIMITED {
            return Ok(Self(None));
        }
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
        // The kernel uses the highest number for "unlimited".
        let number = text.parse().ok().filter(|number| is_plain && *number < u64::MAX);
        number.map(|number| Self(Some(number))).ok_or(())
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(number) => number.fmt(f),
            None => f.write_str(Self::UNLIMITED),
        }
    }
}
