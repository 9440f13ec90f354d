//! What makes an instance ready.

use std::fmt;
use std::str::FromStr;

/// What makes an instance ready, in addition to its startup checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// A process of the instance listens on its port.
    Listening,
    /// A process of the instance reports it (`READY=1`).
    Notify,
    /// It has lived for a second.
    Alive,
}

impl Ready {
    const ALL: [Self; 3] = [Self::Listening, Self::Notify, Self::Alive];
}

impl FromStr for Ready {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|ready| ready.to_string() == text).ok_or(())
    }
}

impl fmt::Display for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Listening => "listening",
            Self::Notify => "notify",
            Self::Alive => "alive",
        })
    }
}
