//! Hexadecimal text, as ids and digests are written.

/// Whether `text` is lower-case hexadecimal of such a length.
pub(crate) fn is_hex(text: &str, lengths: std::ops::RangeInclusive<usize>) -> bool {
    lengths.contains(&text.len()) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
