//! What a log of numbered lines says about whoever wrote it down.

use std::fmt;

/// What is wrong with a log in which the lines 1, 2, 3 … should stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wrongs {
    /// Numbers that are missing up to the last one.
    pub lost: u64,
    /// Numbers that stand there again.
    pub doubled: u64,
    /// Numbers that come after a greater one, for the first time.
    pub reordered: u64,
    /// Lines that are none, but for an unfinished one at the end.
    pub torn: u64,
}

impl Wrongs {
    /// Judges a log; `line 17` is the seventeenth line. Others than numbered ones are passed over where `is_other` says so.
    pub fn of(log: &[u8], is_other: impl Fn(&[u8]) -> bool) -> (Self, u64) {
        let mut seen: Vec<bool> = Vec::new();
        let (mut wrongs, mut highest) = (Self::default(), 0_usize);
        let whole = log.iter().rposition(|byte| *byte == b'\n').map_or(&log[..0], |end| &log[..end]);
        for line in whole.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let Some(number) = number(line) else {
                wrongs.torn += u64::from(!is_other(line));
                continue;
            };
            seen.resize(seen.len().max(number + 1), false);
            let is_late = number < highest;
            if std::mem::replace(&mut seen[number], true) {
                wrongs.doubled += 1;
            } else {
                wrongs.reordered += u64::from(is_late);
            }
            highest = highest.max(number);
        }
        let missing = seen.iter().skip(1).filter(|was| !**was).count();
        wrongs.lost = missing.try_into().unwrap_or(u64::MAX);
        (wrongs, highest.try_into().unwrap_or(u64::MAX))
    }

    /// Whether nothing is.
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Wrongs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lost, doubled, reordered, torn } = self;
        write!(f, "{lost} lost, {doubled} doubled, {reordered} out of order, {torn} torn")
    }
}

/// `17` of `line 17`. No number is so great that a list up to it could not be held.
fn number(line: &[u8]) -> Option<usize> {
    let number = std::str::from_utf8(line.strip_prefix(b"line ")?).ok()?.parse().ok()?;
    (1..=100_000_000).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_wrong_is_seen() {
        let wrongs = |log: &str| Wrongs::of(log.as_bytes(), |_| false).0;
        assert!(wrongs("line 1\nline 2\nline 3\nlin").are_none());
        assert_eq!(wrongs("line 1\nline 3\n").lost, 1);
        assert_eq!(wrongs("line 1\nline 1\n").doubled, 1);
        assert_eq!(wrongs("line 2\nline 1\n"), Wrongs { reordered: 1, ..Wrongs::default() });
        assert_eq!(wrongs("line 1\nne 2\nline 2\n").torn, 1);
        assert_eq!(Wrongs::of(b"line 1\nhello\n", |line| line == b"hello"), (Wrongs::default(), 1));
    }
}
