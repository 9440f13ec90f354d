//! The name of a time zone, as in the database of zones: `Europe/Berlin`.

use std::fmt;
use std::str::FromStr;

/// The longest name, in bytes; real names are much shorter.
const MAX_BYTES: usize = 100;

/// A text that may be the name of a zone. Whether the zone exists depends on the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneName(String);

impl ZoneName {
    /// The name as text: parts separated by slashes, none of which leads out of a directory.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ZoneName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_-+".contains(&byte);
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(is_legal);
        let is_name = text.len() <= MAX_BYTES && text.split('/').all(is_word);
        if is_name { Ok(Self(text.to_owned())) } else { Err(()) }
    }
}

impl fmt::Display for ZoneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_nowhere_but_below_the_directory_of_zones() {
        for good in ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5"] {
            assert_eq!(good.parse::<ZoneName>().map(|name| name.to_string()), Ok(good.to_owned()));
        }
        for bad in
            ["", "/etc/passwd", "../x", "Europe/../x", "Europe//Berlin", "a b", "CET-1CEST,M3.5.0", "é"]
        {
            assert!(bad.parse::<ZoneName>().is_err(), "{bad}");
        }
        assert!("a".repeat(101).parse::<ZoneName>().is_err());
    }
}
