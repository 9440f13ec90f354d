//! The name of a process type: the word before the colon of a Procfile line.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The longest legal name, in bytes.
pub const MAX_NAME_BYTES: usize = 63;
/// The type whose command runs once in each deploy, before the instances, and never as an instance.
pub const RELEASE: &str = "release";
/// The type of which a new app has one instance.
pub const FIRST_TYPE: &str = "web";

/// A legal process type: `[A-Za-z0-9_-]`, 1 to 63 bytes. It has no dot, slash or blank, so it can stand in a
/// file name, a label and a `<type>.<n>` instance name without quoting. Copies share the name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessType(Arc<str>);

/// Why a text is not a process type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProcessType {
    /// The empty word.
    #[error("a process type needs a name, for example web")]
    Empty,
    /// More than 63 bytes.
    #[error("process type {0:.20}… is over 63 characters")]
    TooLong(String),
    /// A character that is not allowed.
    #[error("process type {0:?} may contain only letters, digits, - and _")]
    BadCharacter(String),
}

impl ProcessType {
    /// A process type whose name the caller's own parser has already checked: release builds do not check it again.
    pub fn of_legal(name: &str) -> Self {
        debug_assert!(name.parse::<Self>().is_ok(), "{name:?}");
        Self(name.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is [`RELEASE`].
    pub fn is_release(&self) -> bool {
        *self.0 == *RELEASE
    }
}

impl FromStr for ProcessType {
    type Err = InvalidProcessType;

    fn from_str(word: &str) -> Result<Self, InvalidProcessType> {
        if word.is_empty() {
            return Err(InvalidProcessType::Empty);
        }
        if !word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
            return Err(InvalidProcessType::BadCharacter(word.chars().take(80).collect()));
        }
        if word.len() > MAX_NAME_BYTES {
            return Err(InvalidProcessType::TooLong(word.to_owned()));
        }
        Ok(Self(word.into()))
    }
}

impl fmt::Display for ProcessType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl AsRef<str> for ProcessType {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for ProcessType {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legal_names_are_kept_as_written() {
        for word in ["web", "Web_2", "-", "0", &"a".repeat(63)] {
            assert_eq!(word.parse::<ProcessType>().map(|t| t.to_string()), Ok(word.to_owned()));
        }
    }

    #[test]
    fn illegal_names_are_refused() {
        for word in ["", "a.b", "a b", "a/b", "$(x)", "é", &"a".repeat(64)] {
            assert!(word.parse::<ProcessType>().is_err(), "{word}");
        }
    }
}
