//! Which checks of a type are made.

use std::fmt;
use std::str::FromStr;

/// Which checks of a type are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checking {
    /// All checks.
    Asked,
    /// All checks except the startup checks.
    Skipped,
    /// No check, and an instance that is replaced ends before the new one starts.
    Disabled,
}

impl Checking {
    const ALL: [Self; 3] = [Self::Asked, Self::Skipped, Self::Disabled];
}

impl FromStr for Checking {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|checking| checking.to_string() == text).ok_or(())
    }
}

impl fmt::Display for Checking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Asked => "asked",
            Self::Skipped => "skipped",
            Self::Disabled => "disabled",
        })
    }
}
