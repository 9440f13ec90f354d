//! Quotes words in messages as Go does, so that a message is the same byte for byte.

use std::fmt::Write as _;

/// `"…"` with escapes. Bytes that are not UTF-8 are shown as `\xNN`.
pub(crate) fn double(bytes: &[u8]) -> String {
    let mut quoted = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|c| push(&mut quoted, c, '"'));
        for byte in chunk.invalid() {
            push_hex(&mut quoted, *byte);
        }
    }
    quoted.push('"');
    quoted
}

/// A character in single quotes, `'c'`.
pub(crate) fn single(byte: u8) -> String {
    let mut quoted = String::from("'");
    push(&mut quoted, char::from(byte), '\'');
    quoted.push('\'');
    quoted
}

fn push(quoted: &mut String, c: char, quote: char) {
    match c {
        '\\' => quoted.push_str("\\\\"),
        '\n' => quoted.push_str("\\n"),
        '\r' => quoted.push_str("\\r"),
        '\t' => quoted.push_str("\\t"),
        '\u{7}' => quoted.push_str("\\a"),
        '\u{8}' => quoted.push_str("\\b"),
        '\u{b}' => quoted.push_str("\\v"),
        '\u{c}' => quoted.push_str("\\f"),
        c if c == quote => {
            quoted.push('\\');
            quoted.push(c);
        }
        c if u32::from(c) < 0x20 || c == '\u{7f}' => push_hex(quoted, c as u8),
        c if c.is_control() || (c.is_whitespace() && c != ' ') || c == '\u{feff}' => {
            // Writing to a string cannot fail.
            let _ = write!(quoted, "\\u{:04x}", u32::from(c));
        }
        c => quoted.push(c),
    }
}

fn push_hex(quoted: &mut String, byte: u8) {
    // Writing to a string cannot fail.
    let _ = write!(quoted, "\\x{byte:02x}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_as_go_quotes_them() {
        assert_eq!(double(b"a\"b\\c\n\x01\xff\xc2\xa0\xc3\xa9"), r#""a\"b\\c\n\x01\xff\u00a0é""#);
        assert_eq!(single(b'\''), r"'\''");
        assert_eq!(single(b'"'), "'\"'");
    }
}
