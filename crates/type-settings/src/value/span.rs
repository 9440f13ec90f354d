//! Lengths of time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// In milliseconds, the longest unit first; a number without a unit is in seconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
/// A longer time than a year is refused as a mistake.
const MAX: Duration = Duration::from_secs(365 * 86_400);

/// A length of time: a whole number and its unit (`100ms`, `5s`, `10m`, `1h`, `1d`), or seconds alone. At most a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(Duration);

impl Span {
    /// A time of this many milliseconds.
    pub(crate) const fn millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// The length of time.
    pub fn get(self) -> Duration {
        self.0
    }
}

impl FromStr for Span {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let unit = if unit.is_empty() { "s" } else { unit };
        let (_, millis) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or(())?;
        let millis = number.parse::<u64>().map_err(|_| ())?.checked_mul(millis).ok_or(())?;
        Some(Duration::from_millis(millis)).filter(|span| *span <= MAX).map(Self).ok_or(())
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let is_whole = |(_, of_unit): &(&str, u64)| millis > 0 && millis.is_multiple_of(*of_unit);
        let (unit, of_unit) = UNITS.into_iter().find(is_whole).unwrap_or(("s", 1_000));
        write!(f, "{}{unit}", millis / of_unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_length_reads_back_as_written_in_its_longest_unit() {
        for (text, shown, millis) in [
            ("100ms", "100ms", 100),
            ("5", "5s", 5_000),
            ("90s", "90s", 90_000),
            ("120s", "2m", 120_000),
            ("0", "0s", 0),
            ("365d", "365d", 31_536_000_000),
        ] {
            let span: Span = text.parse().expect("a length of time");
            assert_eq!((span.to_string().as_str(), span.get().as_millis()), (shown, millis), "{text}");
            assert_eq!(shown.parse(), Ok(span));
        }
        for text in
            ["", "s", "-1s", "1.5s", "1 s", "366d", "1w", "99999999999999999999", "99999999999999999d"]
        {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
