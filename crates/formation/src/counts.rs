//! A formation: how many instances of each process type are wanted.

use std::fmt;
use std::str::FromStr;

use crate::ProcessType;

/// The largest count of one type that is accepted anywhere.
pub const MAX_QUANTITY: u16 = 10_000;

/// How many instances of one type are wanted: 0 to 10,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(u16);

/// Why a text is not a count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuantity {
    /// Not a whole number.
    #[error("count {0:?} is not a whole number")]
    NotANumber(String),
    /// Below zero.
    #[error("count {0} is negative: use 0 to stop every instance")]
    Negative(String),
    /// Above 10,000.
    #[error("count {0} is over 10,000")]
    TooLarge(String),
}

impl Quantity {
    /// No instance at all.
    pub const ZERO: Self = Self(0);
    /// One instance.
    pub const ONE: Self = Self(1);

    /// A count; an error above [`MAX_QUANTITY`].
    pub fn new(count: u64) -> Result<Self, InvalidQuantity> {
        match u16::try_from(count) {
            Ok(count) if count <= MAX_QUANTITY => Ok(Self(count)),
            _ => Err(InvalidQuantity::TooLarge(count.to_string())),
        }
    }

    /// The count as a number.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl FromStr for Quantity {
    type Err = InvalidQuantity;

    /// Decimal digits with an optional sign, as Dokku reads them: `+2` is 2 and `007` is 7.
    fn from_str(word: &str) -> Result<Self, InvalidQuantity> {
        let digits = word.strip_prefix(['+', '-']).unwrap_or(word);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InvalidQuantity::NotANumber(word.chars().take(40).collect()));
        }
        let significant = digits.trim_start_matches('0');
        if word.starts_with('-') && !significant.is_empty() {
            return Err(InvalidQuantity::Negative(word.chars().take(40).collect()));
        }
        match significant {
            "" => Ok(Self::ZERO),
            few if few.len() <= 5 => Self::new(few.parse().expect("five digits fit a u64")),
            many => Err(InvalidQuantity::TooLarge(many.chars().take(40).collect())),
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Wanted counts, one for each type, in the order in which they were named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Formation(Vec<(ProcessType, Quantity)>);

impl Formation {
    /// A formation without any type.
    pub fn new() -> Self {
        Self::default()
    }

    /// The count of a type, `None` if the formation does not name it.
    pub fn get(&self, process_type: &str) -> Option<Quantity> {
        self.0.iter().find(|(name, _)| name.as_str() == process_type).map(|(_, quantity)| *quantity)
    }

    /// Sets a count; a type not named before comes last.
    pub fn set(&mut self, process_type: ProcessType, quantity: Quantity) {
        match self.0.iter_mut().find(|(name, _)| *name == process_type) {
            Some((_, old)) => *old = quantity,
            None => self.0.push((process_type, quantity)),
        }
    }

    /// Types and counts in the order in which they were named.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&ProcessType, Quantity)> {
        self.0.iter().map(|(name, quantity)| (name, *quantity))
    }

    /// Whether no type is named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(ProcessType, Quantity)> for Formation {
    /// If a type is named twice, the later count is used.
    fn from_iter<I: IntoIterator<Item = (ProcessType, Quantity)>>(entries: I) -> Self {
        let mut formation = Self::new();
        entries.into_iter().for_each(|(name, quantity)| formation.set(name, quantity));
        formation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_as_dokku_reads_them() {
        let read = |word: &str| word.parse::<Quantity>().map(Quantity::get);
        for (word, count) in [("0", 0), ("2", 2), ("+2", 2), ("007", 7), ("-0", 0), ("10000", 10_000)] {
            assert_eq!(read(word), Ok(count), "{word}");
        }
        for word in ["", "+", "-1", "abc", "1.5", " 1", "10001", "99999999", &"9".repeat(5000)] {
            assert!(read(word).is_err(), "{word}");
        }
    }

    #[test]
    fn a_type_that_is_named_again_keeps_its_place_and_gets_the_later_count() {
        let entry =
            |name: &str, count| (name.parse().expect("legal"), Quantity::new(count).expect("a count"));
        let formation: Formation =
            [entry("web", 1), entry("worker", 2), entry("web", 3)].into_iter().collect();
        let counts: Vec<(&str, u16)> =
            formation.iter().map(|(name, count)| (name.as_str(), count.get())).collect();
        assert_eq!(counts, [("web", 3), ("worker", 2)]);
    }
}
