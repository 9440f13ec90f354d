//! Sizes and ages as people write them: a whole number and the letter of its unit.

use std::fmt;
use std::str::FromStr;

/// A number with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Amount {
    number: u64,
    unit: char,
}

impl Amount {
    fn parse(text: &str) -> Option<Self> {
        let unit = text.chars().next_back()?;
        let digits = text.strip_suffix(unit)?;
        let number = digits.parse().ok()?;
        let amount = Self { number, unit };
        // One value is written in one way: no sign, no zero before it.
        (amount.to_string() == text && number > 0).then_some(amount)
    }

    fn times(self, units: &[(char, u64)]) -> Option<u64> {
        let (_, factor) = units.iter().find(|(unit, _)| *unit == self.unit)?;
        self.number.checked_mul(*factor)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.number, self.unit)
    }
}

/// How large something may become: `64k`, `10m`, `1g`, in powers of 1024.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(Amount);

impl Size {
    const UNITS: &[(char, u64)] = &[('k', 1 << 10), ('m', 1 << 20), ('g', 1 << 30)];

    /// In bytes.
    pub fn bytes(self) -> u64 {
        self.0.times(Self::UNITS).expect("it was seen to fit when it was read")
    }
}

impl FromStr for Size {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let amount = Amount::parse(text).filter(|amount| amount.times(Self::UNITS).is_some());
        amount.map(Self).ok_or(())
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How old something may become: `12h`, `90d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age(Amount);

impl Age {
    const UNITS: &[(char, u64)] = &[('m', 60), ('h', 60 * 60), ('d', 24 * 60 * 60)];

    /// In seconds.
    pub fn seconds(self) -> u64 {
        self.0.times(Self::UNITS).expect("it was seen to fit when it was read")
    }
}

impl FromStr for Age {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let amount = Amount::parse(text).filter(|amount| amount.times(Self::UNITS).is_some());
        amount.map(Self).ok_or(())
    }
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
