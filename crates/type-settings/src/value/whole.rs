//! Whole numbers within limits.

use std::fmt;
use std::str::FromStr;

/// A whole number from `MIN` to `MAX` in digits, with `-` before it if it is negative, and never with `+`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole<const MIN: i64, const MAX: i64>(i64);

impl<const MIN: i64, const MAX: i64> Whole<MIN, MAX> {
    /// The number.
    pub fn get(self) -> i64 {
        self.0
    }
}

impl<const MAX: i64> Whole<0, MAX> {
    /// The number as an unsigned one; only for types whose `MIN` is not negative.
    pub fn unsigned(self) -> u64 {
        self.0.unsigned_abs()
    }
}

impl<const MAX: i64> Whole<1, MAX> {
    /// The number as seconds.
    pub fn seconds(self) -> std::time::Duration {
        std::time::Duration::from_secs(self.0.unsigned_abs())
    }
}

impl<const MIN: i64, const MAX: i64> FromStr for Whole<MIN, MAX> {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let is_plain = !text.starts_with('+');
        let number = text.parse().ok().filter(|number| is_plain && (MIN..=MAX).contains(number));
        number.map(Self).ok_or(())
    }
}

impl<const MIN: i64, const MAX: i64> fmt::Display for Whole<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
