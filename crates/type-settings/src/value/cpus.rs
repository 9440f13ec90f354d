//! Shares of the machine's CPUs.

use std::fmt;
use std::str::FromStr;

/// A number of CPUs: `0.5`, `2`, `1.25`; up to three digits after the point, so it is a whole number of thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cpus(u32);

impl Cpus {
    /// The kernel gives no group less than a hundredth of a CPU.
    const LEAST: u32 = 10;
    const MOST: u32 = 1_024_000;

    /// In thousandths of a CPU.
    pub fn thousandths(self) -> u32 {
        self.0
    }
}

impl FromStr for Cpus {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
        if rest.len() > 3 || [whole, rest].iter().any(|part| !part.bytes().all(|byte| byte.is_ascii_digit()))
        {
            return Err(());
        }
        let whole = whole.parse::<u32>().ok().and_then(|whole| whole.checked_mul(1000));
        let rest: u32 = format!("{rest:0<3}").parse().map_err(|_| ())?;
        let cpus = Self(whole.and_then(|whole| whole.checked_add(rest)).ok_or(())?);
        // One value is written in one way: no zero before it, none behind it.
        let is_legal = (Self::LEAST..=Self::MOST).contains(&cpus.0) && cpus.to_string() == text;
        if is_legal { Ok(cpus) } else { Err(()) }
    }
}

impl fmt::Display for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:03}", self.0 / 1000, self.0 % 1000);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}
