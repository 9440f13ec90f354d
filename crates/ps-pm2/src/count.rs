//! How many instances: `4`, `max`, `-1` (one fewer than CPUs) or `50%` of them.

use std::num::NonZeroUsize;
use std::thread;

use anyhow::{Result, bail};

/// What pm2 says of a count that is none.
pub(crate) const WANTED: &str = "Instance option must be an integer or the \"max\" string";
/// The largest count.
const MOST: u16 = 10_000;

/// The count for these words.
pub(crate) fn parse(word: &str) -> Result<u16> {
    let cpus = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let cpus = u16::try_from(cpus).unwrap_or(MOST);
    of(word, cpus)
}

fn of(word: &str, cpus: u16) -> Result<u16> {
    let percent = word.strip_suffix('%').and_then(|number| number.parse::<u32>().ok());
    match (word, word.parse::<i32>(), percent) {
        ("max", ..) => Ok(cpus),
        (_, Ok(fewer @ ..0), _) => {
            let left = i32::from(cpus).saturating_add(fewer).max(1);
            Ok(u16::try_from(left).unwrap_or(1))
        }
        (_, Ok(count), _) if (1..=i32::from(MOST)).contains(&count) => {
            Ok(u16::try_from(count).unwrap_or(MOST))
        }
        (.., Some(percent)) if (1..=10_000).contains(&percent) => {
            let count = u32::from(cpus).saturating_mul(percent).div_ceil(100);
            Ok(u16::try_from(count).unwrap_or(MOST).clamp(1, MOST))
        }
        _ => bail!(WANTED),
    }
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn what_is_no_count_is_refused() {
        let counts = ["4", "max", "-1", "-9", "50%", "1%"].map(|word| of(word, 4).expect("a count"));
        assert_eq!(counts, [4, 4, 3, 1, 2, 1]);
        for word in ["0", "2.7", "3x", "lots", "", "%", "0%", "99999"] {
            assert!(of(word, 4).is_err(), "{word}");
        }
    }
}
