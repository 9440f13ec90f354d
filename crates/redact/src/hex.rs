//! Hexadecimal text, such as ids and digests.

/// Whether `text` is lower-case hexadecimal with a length in this range.
pub(crate) fn is_hex(text: &str, lengths: std::ops::RangeInclusive<usize>) -> bool {
    lengths.contains(&text.len()) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
