//! The permissions that new files do not get.

use std::fmt;
use std::str::FromStr;

/// A umask: three octal digits, or four of which the first is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Umask(u32);

impl Umask {
    /// The permission bits.
    pub fn bits(self) -> u32 {
        self.0
    }
}

impl FromStr for Umask {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = if text.len() == 4 { text.strip_prefix('0').ok_or(())? } else { text };
        let is_octal = digits.len() == 3 && digits.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
        let bits = u32::from_str_radix(digits, 8).ok().filter(|_| is_octal);
        bits.map(Self).ok_or(())
    }
}

impl fmt::Display for Umask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03o}", self.0)
    }
}
