//! Sizes and ages as people write them: a number and its unit.

use std::fmt;
use std::str::FromStr;

/// How large something may become, in bytes. It is written as Docker and systemd write it: `64k`, `10m`, `64MiB`, `1.5G`, `1048576`;
/// all units are powers of 1024.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(u64);

impl Size {
    const UNITS: [(char, u64); 4] = [('t', 1 << 40), ('g', 1 << 30), ('m', 1 << 20), ('k', 1 << 10)];
    /// The units in which it is shown.
    const SHOWN: [(char, u64); 3] = [('g', 1 << 30), ('m', 1 << 20), ('k', 1 << 10)];
    const DECIMALS: usize = 3;

    /// The size in bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }

    /// A size of this many bytes; `None` for 0.
    pub fn of_bytes(bytes: u64) -> Option<Self> {
        (bytes > 0).then_some(Self(bytes))
    }

    /// The digits, and the size of the unit after them in bytes.
    fn parts(text: &str) -> (&str, u64) {
        let bytes = text.strip_suffix(['b', 'B']).unwrap_or(text);
        let number = bytes.strip_suffix(['i', 'I']).unwrap_or(bytes);
        let unit = |(unit, factor): (char, u64)| {
            Some((number.strip_suffix([unit, unit.to_ascii_uppercase()])?, factor))
        };
        // The letter i is only a part of a unit, and no unit by itself.
        Self::UNITS.into_iter().find_map(unit).unwrap_or((bytes, 1))
    }
}

impl FromStr for Size {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (digits, factor) = Self::parts(text);
        let (whole, rest) = digits.split_once('.').unwrap_or((digits, ""));
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let has_rest = digits.contains('.');
        let is_legal =
            !whole.is_empty() && is_number(whole) && is_number(rest) && rest.len() <= Self::DECIMALS;
        if !is_legal || has_rest && (rest.is_empty() || factor == 1) {
            return Err(());
        }
        let thousandths: u64 = format!("{rest:0<3}").parse().map_err(|_| ())?;
        let whole = whole.parse::<u64>().ok().and_then(|whole| whole.checked_mul(factor));
        let part = thousandths.checked_mul(factor).map(|part| part / 1000);
        let bytes = whole.zip(part).and_then(|(whole, part)| whole.checked_add(part));
        bytes.and_then(Self::of_bytes).ok_or(())
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::SHOWN.into_iter().find(|(_, factor)| self.0.is_multiple_of(*factor)) {
            Some((unit, factor)) => write!(f, "{}{unit}", self.0 / factor),
            None => write!(f, "{}b", self.0),
        }
    }
}

/// How old something may become: `12h`, `90d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age {
    number: u64,
    unit: char,
}

impl Age {
    const UNITS: &[(char, u64)] = &[('m', 60), ('h', 60 * 60), ('d', 24 * 60 * 60)];

    /// The age in seconds.
    pub fn seconds(self) -> u64 {
        self.checked().expect("it was seen to fit when it was read")
    }

    fn checked(self) -> Option<u64> {
        let (_, factor) = Self::UNITS.iter().find(|(unit, _)| *unit == self.unit)?;
        self.number.checked_mul(*factor)
    }
}

impl FromStr for Age {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let unit = text.chars().next_back().ok_or(())?;
        let number = text.strip_suffix(unit).and_then(|digits| digits.parse().ok()).ok_or(())?;
        let age = Self { number, unit };
        // Each value can be written in one way only: without a sign and without leading zeros.
        let is_legal = age.to_string() == text && number > 0 && age.checked().is_some();
        is_legal.then_some(age).ok_or(())
    }
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.number, self.unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_as_docker_and_systemd_write_it() {
        for (text, bytes, shown) in [
            ("64m", 64 << 20, "64m"),
            ("64M", 64 << 20, "64m"),
            ("64MiB", 64 << 20, "64m"),
            ("64mb", 64 << 20, "64m"),
            ("64Mi", 64 << 20, "64m"),
            ("1.5G", 3 << 29, "1536m"),
            ("1024k", 1 << 20, "1m"),
            ("1t", 1 << 40, "1024g"),
            ("67108864", 64 << 20, "64m"),
            ("1000", 1000, "1000b"),
            ("1000b", 1000, "1000b"),
        ] {
            let size: Size = text.parse().expect(text);
            assert_eq!((size.bytes(), &*size.to_string()), (bytes, shown), "{text}");
            assert_eq!(shown.parse(), Ok(size), "{shown}");
        }
        for text in [
            "",
            "m",
            "0",
            "0m",
            "-1m",
            "+1m",
            "1.m",
            ".5m",
            "1.5",
            "1 m",
            "1x",
            "1i",
            "1mm",
            "1.2345g",
            "99999999999g",
        ] {
            assert_eq!(text.parse::<Size>(), Err(()), "{text}");
        }
    }
}
