//! Remarks about parts of the file that have no effect, or another effect than they seem to have.

use std::fmt;

/// A remark about one place. Displays as one line that begins with the place: `formation.web.size is not heeded here: …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// A key that is not known.
    Unknown {
        /// Its place in the file.
        place: String,
        /// The key that was probably meant.
        meant: Option<&'static str>,
    },
    /// A key that occurs twice in its object.
    Twice {
        /// Its place in the file.
        place: String,
    },
    /// A key that asks for something that Formation does not do.
    Unread {
        /// Its place in the file.
        place: String,
        /// The reason, or what to do instead.
        why: &'static str,
    },
}

impl Remark {
    pub(crate) fn unknown(place: String, meant: Option<&'static str>) -> Self {
        Self::Unknown { place, meant }
    }

    /// The place in the file: `healthchecks.web[0].port`.
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
