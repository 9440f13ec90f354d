//! Users and groups, by name or number.

use std::fmt;
use std::str::FromStr;

/// The name of a user or of a group, or its number. Whether it exists is not checked here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account(String);

impl Account {
    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Account {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let is_part = |c: char| !c.is_whitespace() && !c.is_control() && !":,/".contains(c);
        let is_name = !text.is_empty() && !text.starts_with(['-', '+']) && text.chars().all(is_part);
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        // The highest number is no user: the kernel reads it as "do not change".
        let fits = !is_number || text.parse().is_ok_and(|number: u32| number < u32::MAX);
        (is_name && fits).then(|| Self(text.to_owned())).ok_or(())
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
