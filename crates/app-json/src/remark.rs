//! What stands in a file and does nothing, or not what it seems to.

use std::fmt;

/// A remark about one place. Displays as one line that begins with the place: `formation.web.size is not heeded here: …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// A key that nobody knows.
    Unknown {
        /// Where.
        place: String,
        /// The key that was probably meant.
        meant: Option<&'static str>,
    },
    /// A key that stands twice in its object.
    Twice {
        /// Where.
        place: String,
    },
    /// It asks for something that is not done.
    Unread {
        /// Where.
        place: String,
        /// Why, or what to do instead.
        why: &'static str,
    },
}

impl Remark {
    pub(crate) fn unknown(place: String, meant: Option<&'static str>) -> Self {
        Self::Unknown { place, meant }
    }

    /// Where, in the file: `healthchecks.web[0].port`.
    pub fn place(&self) -> &str {
        match self {
            Self::Unknown { place, .. } | Self::Twice { place } | Self::Unread { place, .. } => place,
        }
    }

    pub(crate) fn unread(place: &str, why: &'static str) -> Self {
        Self::Unread { place: place.to_owned(), why }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { place, meant: Some(meant) } => {
                write!(f, "{place} is not known: did you mean {meant}?")
            }
            Self::Unknown { place, meant: None } => write!(f, "{place} is not known, and not heeded"),
            Self::Twice { place } => write!(f, "{place} stands twice: the last one counts"),
            Self::Unread { place, why } => write!(f, "{place} is not heeded here: {why}"),
        }
    }
}
