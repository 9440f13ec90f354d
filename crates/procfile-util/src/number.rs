//! Numbers and truth values on the command line, as Go's flag library reads them: `0x1F`, `010` (eight), `1_000`.

/// Why a word is not a number. It displays as Go's library words it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotANumber {
    Syntax,
    Range,
}

impl NotANumber {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Syntax => "invalid syntax",
            Self::Range => "value out of range",
        }
    }
}

/// Reads a truth value.
pub(crate) fn truth(word: &str) -> Option<bool> {
    match word {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// Reads a whole number of 64 bits. Its prefix determines the base.
pub(crate) fn integer(word: &str) -> Result<i64, NotANumber> {
    let (negative, digits) = match word.as_bytes().first() {
        Some(b'-') => (true, &word[1..]),
        Some(b'+') => (false, &word[1..]),
        _ => (false, word),
    };
    if digits.is_empty() || !underscores_separate(digits) {
        return Err(NotANumber::Syntax);
    }
    let (base, significant) = base(digits);
    let mut value: i128 = 0;
    for digit in significant.chars().filter(|c| *c != '_') {
        let digit = digit.to_digit(base).ok_or(NotANumber::Syntax)?;
        value = (value * i128::from(base) + i128::from(digit)).min(i128::from(u64::MAX));
    }
    i64::try_from(if negative { -value } else { value }).map_err(|_| NotANumber::Range)
}

fn base(digits: &str) -> (u32, &str) {
    let Some(rest) = digits.strip_prefix('0') else { return (10, digits) };
    match rest.as_bytes() {
        [b'x' | b'X', _, ..] => (16, &rest[1..]),
        [b'o' | b'O', _, ..] => (8, &rest[1..]),
        [b'b' | b'B', _, ..] => (2, &rest[1..]),
        _ => (8, rest),
    }
}

/// Whether underscores stand only where Go permits them: between digits, and behind a base prefix.
fn underscores_separate(digits: &str) -> bool {
    let bytes = digits.as_bytes();
    let prefixed = bytes.len() >= 2 && bytes[0] == b'0' && bytes[1].is_ascii_alphabetic();
    let body = if prefixed { &bytes[2..] } else { bytes };
    let mut after_digit = prefixed;
    for byte in body {
        if *byte == b'_' && !after_digit {
            return false;
        }
        after_digit = *byte != b'_';
    }
    !body.ends_with(b"_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_go_reads_them() {
        for (word, value) in [
            ("0", 0),
            ("-0", 0),
            ("5000", 5000),
            ("+5", 5),
            ("-1", -1),
            ("0x1F", 31),
            ("010", 8),
            ("0o17", 15),
            ("0b11", 3),
            ("1_000", 1000),
            ("0_7", 7),
            ("0x_1", 1),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ] {
            assert_eq!(integer(word), Ok(value), "{word}");
        }
        for word in ["", "+", "-", "08", " 5", "5 ", "1.5", "0x", "_1", "1_", "1__0", "abc", "--1", "é"] {
            assert_eq!(integer(word), Err(NotANumber::Syntax), "{word}");
        }
        assert_eq!(integer("9223372036854775808"), Err(NotANumber::Range));
        assert_eq!(integer(&"9".repeat(500)), Err(NotANumber::Range));
    }
}
