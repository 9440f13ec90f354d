//! The settings in addition to a schedule: missed and overlapping runs.

use std::fmt;
use std::str::FromStr;

/// What happens to a run that is due while the one before it still runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overlap {
    /// It is left out.
    #[default]
    Forbid,
    /// It runs beside the earlier one.
    Allow,
    /// The earlier one ends first.
    Replace,
}

/// What happens to times of the schedule at which nothing could be run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missed {
    /// Nothing is run for them.
    #[default]
    Skip,
    /// One run makes up for all of them.
    RunOnce,
}

impl Overlap {
    const ALL: [Self; 3] = [Self::Forbid, Self::Allow, Self::Replace];
}

impl FromStr for Overlap {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|overlap| overlap.to_string() == text).ok_or(())
    }
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Forbid => "forbid",
            Self::Allow => "allow",
            Self::Replace => "replace",
        })
    }
}

impl FromStr for Missed {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "skip" => Ok(Self::Skip),
            "run-once" => Ok(Self::RunOnce),
            _ => Err(()),
        }
    }
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Skip => "skip",
            Self::RunOnce => "run-once",
        })
    }
}
