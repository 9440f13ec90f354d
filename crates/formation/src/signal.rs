//! The signals that a person may name: those of Linux that have a name. Real-time signals have no names that are the
//! same everywhere.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The names without `SIG`, in the order of their numbers from 1, as Linux counts them on x86 and ARM.
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
    "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
    "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];
/// Other names for some of them.
const ALIASES: [(&str, u8); 3] = [("IOT", 6), ("CLD", 17), ("POLL", 29)];
const PREFIX: &str = "SIG";
/// How many letters may be wrong, missing or too many in a name before no other name is suggested for it.
const MOST_SLIPS: usize = 2;

/// A signal, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SignalName(u8);

/// Text that is not the name of a signal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is no signal{hint}")]
pub struct InvalidSignal {
    word: String,
    hint: String,
}

impl SignalName {
    /// SIGTERM.
    pub const TERM: Self = Self(15);

    /// Its number, from 1 to 31.
    pub fn number(self) -> u8 {
        self.0
    }
}

impl FromStr for SignalName {
    type Err = InvalidSignal;

    /// `SIGHUP`, `HUP`, `hup` and `1` are the same.
    fn from_str(word: &str) -> Result<Self, InvalidSignal> {
        let upper = word.to_ascii_uppercase();
        let name = upper.strip_prefix(PREFIX).unwrap_or(&upper);
        let is_number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        let number = if is_number { word.parse().ok() } else { named(name) };
        let is_known = |number: &u8| (1..=NAMES.len()).contains(&usize::from(*number));
        number.filter(is_known).map(Self).ok_or_else(|| InvalidSignal {
            word: word.chars().take(80).collect(),
            hint: hint(name, is_number),
        })
    }
}

fn named(name: &str) -> Option<u8> {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name).map(|(_, number)| *number);
    let place = || NAMES.iter().position(|known| *known == name);
    alias.or_else(|| u8::try_from(place()? + 1).ok())
}

/// What to write instead, as the end of the error message.
fn hint(name: &str, is_number: bool) -> String {
    if is_number {
        return ": numbers go from 1 to 31".to_owned();
    }
    if name.starts_with("RTM") {
        return ": real-time signals cannot be sent".to_owned();
    }
    let slips = NAMES.iter().map(|known| (strsim::osa_distance(name, known), *known));
    let nearest = slips
        .filter(|(slips, known)| *slips <= MOST_SLIPS.min(known.len() - 1))
        .min_by_key(|(slips, _)| *slips);
    match nearest {
        Some((_, known)) if !name.is_empty() => format!(": did you mean {PREFIX}{known}?"),
        _ => ": use a name such as SIGHUP, or a number from 1 to 31".to_owned(),
    }
}

impl fmt::Display for SignalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", NAMES[usize::from(self.0) - 1])
    }
}

impl Serialize for SignalName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SignalName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(word: &str) -> Result<String, String> {
        word.parse::<SignalName>().map(|signal| signal.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn names_with_and_without_sig_and_numbers_are_the_same_signal() {
        for word in ["SIGHUP", "HUP", "hup", "sighup", "1"] {
            assert_eq!(parsed(word), Ok("SIGHUP".to_owned()), "{word}");
        }
        for (word, name) in [("31", "SIGSYS"), ("POLL", "SIGIO"), ("IOT", "SIGABRT"), ("usr2", "SIGUSR2")] {
            assert_eq!(parsed(word), Ok(name.to_owned()), "{word}");
        }
        for number in 1..=31_u8 {
            let signal: SignalName = number.to_string().parse().expect("a signal");
            assert_eq!((signal.number(), signal.to_string().parse()), (number, Ok(signal)));
        }
    }

    #[test]
    fn an_unknown_signal_is_refused_with_the_nearest_one() {
        let refused = |word: &str| parsed(word).expect_err("no signal");
        assert_eq!(refused("SIGHUPP"), "\"SIGHUPP\" is no signal: did you mean SIGHUP?");
        assert_eq!(refused("TREM"), "\"TREM\" is no signal: did you mean SIGTERM?");
        assert_eq!(refused("0"), "\"0\" is no signal: numbers go from 1 to 31");
        assert_eq!(refused("SIGRTMIN+1"), "\"SIGRTMIN+1\" is no signal: real-time signals cannot be sent");
        assert_eq!(refused("300"), "\"300\" is no signal: numbers go from 1 to 31");
        for word in ["", "SIG", "banana", "-9", "+9", "9 "] {
            assert!(
                refused(word).ends_with("use a name such as SIGHUP, or a number from 1 to 31"),
                "{word}: {}",
                refused(word)
            );
        }
    }
}
