//! The name of a run: it marks its processes and names its cgroup.

use std::fmt;
use std::str::FromStr;

use formation::Slot;

/// `web.1@17`. Supervisors of the first format had no runs and used the slot alone, `web.1`: that is run 0.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RunName {
    pub(crate) slot: Slot,
    pub(crate) number: u64,
}

impl fmt::Display for RunName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            0 => write!(f, "{}", self.slot),
            number => write!(f, "{}@{number}", self.slot),
        }
    }
}

impl FromStr for RunName {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let (slot, number) = match name.split_once('@') {
            Some((slot, number)) => (slot, self::number(number).ok_or(())?),
            None => (name, 0),
        };
        Ok(Self { slot: slot.parse().map_err(drop)?, number })
    }
}

/// Parses the number of a run; numbers begin with 1.
pub(crate) fn number(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_named_by_its_slot_and_its_number_and_what_has_none_is_run_0() {
        for (text, number) in [("web.1@17", 17), ("web.1", 0)] {
            let name: RunName = text.parse().expect("a name");
            assert_eq!((name.number, name.to_string().as_str()), (number, text));
        }
        for odd in ["web", "web.1@", "web.1@0", "web.1@-1", "web.1@017", "web.1@1@2", "@1", "log"] {
            assert_eq!(odd.parse::<RunName>(), Err(()), "{odd}");
        }
    }
}
