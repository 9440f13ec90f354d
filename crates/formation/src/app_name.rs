//! Names of apps. A name becomes a directory, a container name and a label, so it is checked before any of these.

use std::fmt;
use std::str::FromStr;

/// The longest name, in bytes: `<app>.<type>.<n>.<epoch>` must still be a file and container name.
const MAX_BYTES: usize = 128;

/// A name that an app may have: `[a-z0-9][a-z0-9._-]*`. An underscore is legal in names of
/// old apps only, see [`AppName::for_new_app`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppName(String);

/// Why a text is not an app name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAppName {
    /// The empty word.
    #[error("an app name is missing: name the app to work on")]
    Empty,
    /// A character that is not allowed, or not allowed at the beginning.
    #[error(
        "{0:?} is no app name: it must begin with a lowercase letter or digit, and may contain only lowercase \
         letters, digits, dots and hyphens"
    )]
    BadCharacter(String),
    /// Over 128 bytes.
    #[error("app name {0:.20}… is {1} characters long: 128 are allowed")]
    TooLong(String, usize),
}

impl AppName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A name for an app that does not exist yet: no underscore.
    pub fn for_new_app(word: &str) -> Result<Self, InvalidAppName> {
        let name: Self = word.parse()?;
        if word.contains('_') { Err(InvalidAppName::BadCharacter(word.to_owned())) } else { Ok(name) }
    }

    /// A name for a new app that is similar to a text with other characters: `My_Shop` gives `my-shop`. `None` if it has no letter and
    /// no digit.
    pub fn like(word: &str) -> Option<Self> {
        let legal =
            |c: char| if c.is_ascii_alphanumeric() || c == '.' { c.to_ascii_lowercase() } else { '-' };
        let text: String = word.chars().map(legal).take(60).collect();
        Self::for_new_app(text.trim_matches(['-', '.'])).ok()
    }
}

impl FromStr for AppName {
    type Err = InvalidAppName;

    fn from_str(word: &str) -> Result<Self, InvalidAppName> {
        let is_first = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let is_other = |b: &u8| is_first(b) || matches!(b, b'.' | b'-' | b'_');
        match word.as_bytes() {
            [] => Err(InvalidAppName::Empty),
            [first, rest @ ..] if is_first(first) && rest.iter().all(is_other) => {
                if word.len() > MAX_BYTES {
                    return Err(InvalidAppName::TooLong(word.to_owned(), word.len()));
                }
                Ok(Self(word.to_owned()))
            }
            _ => Err(InvalidAppName::BadCharacter(word.chars().take(80).collect())),
        }
    }
}

impl fmt::Display for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl AsRef<str> for AppName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_their_directory_are_refused() {
        let long = "a".repeat(4096);
        for word in ["", ".", "..", "../x", "a/b", "A", "-a", "_a", "a b", "a\nb", "a\0", "ä", &long] {
            assert!(word.parse::<AppName>().is_err(), "{word:.20}");
        }
    }

    #[test]
    fn an_underscore_is_for_old_apps_only() {
        assert!("old_app".parse::<AppName>().is_ok());
        assert!(AppName::for_new_app("old_app").is_err());
        assert!(AppName::for_new_app("node-js.app2").is_ok());
        let like = |word| AppName::like(word).map(|name| name.to_string());
        assert_eq!(like("My_Shop é").as_deref(), Some("my-shop"));
        assert_eq!((like("-._"), like("")), (None, None));
    }
}
