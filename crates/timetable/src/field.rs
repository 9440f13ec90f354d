//! The five fields, each of which selects some of its possible values.

use crate::InvalidSchedule;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/// How much of a text is shown, in characters.
const MAX_SHOWN: usize = 40;
/// The longest text of a field, in bytes: a longer one cannot select more values.
const MAX_BYTES: usize = 1024;

/// One of the five fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    name: &'static str,
    low: u32,
    high: u32,
    /// The names of its values, from `low` on, if they have names.
    names: &'static [&'static str],
}

pub(crate) const FIELDS: [Field; 5] = [
    Field { name: "minute", low: 0, high: 59, names: &[] },
    Field { name: "hour", low: 0, high: 23, names: &[] },
    Field { name: "day of the month", low: 1, high: 31, names: &[] },
    Field { name: "month", low: 1, high: 12, names: &MONTHS },
    // 7 is Sunday, as 0 is.
    Field { name: "day of the week", low: 0, high: 7, names: &WEEKDAYS },
];

/// The values that a field selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Values {
    /// A bit for each value.
    bits: u64,
    /// Whether the field begins with `*`, which changes how it is combined with other fields.
    pub(crate) is_open: bool,
}

impl Values {
    pub(crate) fn has(self, value: u32) -> bool {
        self.bits >> value & 1 == 1
    }

    /// The first value from `low` on.
    pub(crate) fn from(self, low: u32) -> Option<u32> {
        let rest = self.bits.checked_shr(low)?;
        (rest != 0).then(|| low + rest.trailing_zeros())
    }
}

impl Field {
    /// Parses the text of a field: parts separated by commas, each a value, a range or `*`; a range or `*` may have a step.
    pub(crate) fn read(self, text: &str) -> Result<Values, InvalidSchedule> {
        let refuse = |what: String| InvalidSchedule::Field { field: self.name, text: shown(text), what };
        if text.len() > MAX_BYTES {
            return Err(refuse(format!("it is longer than {MAX_BYTES} bytes")));
        }
        let mut bits = 0;
        for part in text.split(',') {
            bits |= self.part(part).map_err(refuse)?;
        }
        if self.high == 7 && bits >> 7 & 1 == 1 {
            bits = bits & !(1 << 7) | 1;
        }
        Ok(Values { bits, is_open: text.starts_with('*') })
    }

    fn part(self, part: &str) -> Result<u64, String> {
        let (range, step) =
            match part.split_once('/') {
                None => (part, None),
                Some((range, step)) => (
                    range,
                    Some(number(step).filter(|step| *step > 0).ok_or_else(|| {
                        format!("a step is a whole number from 1 on, not {:?}", shown(step))
                    })?),
                ),
            };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (self.low, self.high),
            Some((first, last)) => self.range(first, last)?,
            None if step.is_some() => {
                let first = self.value(range)?;
                return Err(format!(
                    "a step follows * or a range: write {first}-{}/{}",
                    self.high,
                    step.unwrap_or(1)
                ));
            }
            None => {
                let value = self.value(range)?;
                (value, value)
            }
        };
        let step = usize::try_from(step.unwrap_or(1)).unwrap_or(usize::MAX);
        Ok((first..=last).step_by(step).fold(0, |bits, value| bits | 1 << value))
    }

    fn range(self, first: &str, last: &str) -> Result<(u32, u32), String> {
        let (from, to) = (self.value(first)?, self.value(last)?);
        // A range that ends on Sunday, written as 0.
        let to = if self.high == 7 && to == 0 && from > 0 { 7 } else { to };
        if from > to {
            let (low, high) = (self.low, self.high);
            return Err(format!("{first}-{last} goes backwards: write {from}-{high},{low}-{to}"));
        }
        Ok((from, to))
    }

    fn value(self, text: &str) -> Result<u32, String> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let named = named.and_then(|place| u32::try_from(place).ok()).map(|place| place + self.low);
        let Some(value) = named.or_else(|| number(text)) else {
            let names = match self.names {
                [] => String::new(),
                [first, .., last] => format!(", or a name from {first} to {last}"),
                [only] => format!(", or {only}"),
            };
            return Err(format!("a number is wanted{names}, not {:?}", shown(text)));
        };
        if (self.low..=self.high).contains(&value) {
            Ok(value)
        } else {
            Err(format!("{value} is not from {} to {}", self.low, self.high))
        }
    }
}

fn number(text: &str) -> Option<u32> {
    let is_plain = !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}

pub(crate) fn shown(text: &str) -> String {
    text.chars().take(MAX_SHOWN).collect()
}
