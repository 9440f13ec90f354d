//! Shares of the machine's CPUs.

use std::fmt;
use std::str::FromStr;

/// A number of CPUs: `0.5`, `2`, `1.25`, or a share of one as systemd writes it: `50%`; up to three digits after the point, so that
/// it is a whole number of thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cpus(u32);

impl Cpus {
    /// The kernel gives no group less than a hundredth of a CPU.
    const LEAST: u32 = 10;
    const MOST: u32 = 1_024_000;

    /// This number of thousandths of a CPU; `None` if it is out of range.
    pub fn of_thousandths(thousandths: u32) -> Option<Self> {
        (Self::LEAST..=Self::MOST).contains(&thousandths).then_some(Self(thousandths))
    }

    /// In thousandths of a CPU.
    pub fn thousandths(self) -> u32 {
        self.0
    }
}

impl FromStr for Cpus {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (number, whole, decimals) = match text.strip_suffix('%') {
            Some(number) => (number, 10, 1),
            None => (text, 1000, 3),
        };
        let (digits, rest) = number.split_once('.').unwrap_or((number, ""));
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let rest = rest.trim_end_matches('0');
        if number.is_empty()
            || number.ends_with('.')
            || rest.len() > decimals
            || !is_number(digits)
            || !is_number(rest)
        {
            return Err(());
        }
        let digits: u32 = if digits.is_empty() { 0 } else { digits.parse().map_err(|_| ())? };
        let rest: u32 = format!("{rest:0<decimals$}").parse().map_err(|_| ())?;
        let thousandths = digits.checked_mul(whole).and_then(|most| most.checked_add(rest));
        thousandths.and_then(Self::of_thousandths).ok_or(())
    }
}

impl fmt::Display for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:03}", self.0 / 1000, self.0 % 1000);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpus_are_read_as_docker_and_systemd_write_them() {
        for (text, thousandths, shown) in [
            ("0.50", 500, "0.5"),
            (".5", 500, "0.5"),
            ("50%", 500, "0.5"),
            ("12.5%", 125, "0.125"),
            ("200%", 2000, "2"),
            ("2", 2000, "2"),
            ("1.125", 1125, "1.125"),
        ] {
            let cpus: Cpus = text.parse().expect(text);
            assert_eq!((cpus.thousandths(), &*cpus.to_string()), (thousandths, shown), "{text}");
        }
        for text in ["", "%", ".", "1.", "0.5%", "-1", "1e3", "0.5 CPUs", "1.0001", "99999999999"] {
            assert_eq!(text.parse::<Cpus>(), Err(()), "{text}");
        }
    }
}
