//! Whether the bytes of a file that a person wrote are UTF-8. Some editors save UTF-16, which is refused with a
//! message that says so. Some write a byte order mark before UTF-8, which is skipped. Nothing is converted.

/// The byte order mark in UTF-8.
pub(crate) const BOM: &[u8] = b"\xef\xbb\xbf";

/// How many bytes at the beginning are examined to recognise UTF-16 without a byte order mark.
const PROBE: usize = 64;

/// Why bytes are not readable text. Displays as a fragment that also says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotText {
    /// Every character has two or four bytes.
    #[error("the file is UTF-16: save it as UTF-8")]
    Utf16,
    /// A byte that cannot occur in UTF-8.
    #[error("line {line}, column {column}: a byte that is not UTF-8: save the file as UTF-8")]
    Utf8 {
        /// The line, from 1.
        line: usize,
        /// The column, from 1, in characters.
        column: usize,
    },
}

/// The text of a file, without a byte order mark.
pub fn text(bytes: &[u8]) -> Result<&str, NotText> {
    if is_utf16(bytes) {
        return Err(NotText::Utf16);
    }
    let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|why| {
        let (line, column) = place(&bytes[..why.valid_up_to()]);
        NotText::Utf8 { line, column }
    })
}

/// Whether a file begins like UTF-16 or UTF-32: with their byte order mark, or with every other byte NUL.
pub(crate) fn is_utf16(bytes: &[u8]) -> bool {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return true;
    }
    let head = &bytes[..bytes.len().min(PROBE) & !1];
    let (pairs, _) = head.as_chunks::<2>();
    let all = |at: usize| pairs.iter().all(|pair| pair[at] == 0 && pair[1 - at] != 0);
    !pairs.is_empty() && (all(0) || all(1))
}

/// The line and the column, from 1, in characters, of the place right behind a text.
fn place(before: &[u8]) -> (usize, usize) {
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    let start = memchr::memrchr(b'\n', before).map_or(0, |lf| lf + 1);
    (line, String::from_utf8_lossy(&before[start..]).chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, mark: &[u8], order: fn(u16) -> [u8; 2]) -> Vec<u8> {
        let units = text.encode_utf16().flat_map(order);
        mark.iter().copied().chain(units).collect()
    }

    #[test]
    fn a_mark_before_utf_8_is_skipped() {
        for bytes in [&b"web: a\n"[..], b"\xef\xbb\xbfweb: a\n"] {
            assert_eq!(text(bytes), Ok("web: a\n"));
        }
        assert_eq!((text(b""), text(b"\xef\xbb\xbf")), (Ok(""), Ok("")));
    }

    #[test]
    fn utf_16_is_told_with_and_without_its_mark() {
        for bytes in [
            utf16("web=2\r\n", b"\xff\xfe", u16::to_le_bytes),
            utf16("web=2\r\n", b"\xfe\xff", u16::to_be_bytes),
            utf16("{\"a\": 1}", b"", u16::to_le_bytes),
            utf16("{}", b"", u16::to_be_bytes),
        ] {
            assert_eq!(text(&bytes), Err(NotText::Utf16), "{bytes:?}");
        }
        for bytes in [&b"a"[..], b"ab\0", b"web: \0\0\0", b"\0\0\0\0"] {
            assert!(!is_utf16(bytes), "{bytes:?}");
        }
    }

    #[test]
    fn a_byte_that_is_no_text_is_told_with_its_place() {
        assert_eq!(text("ä=1\nü=".as_bytes()), Ok("ä=1\nü="));
        assert_eq!(text(b"a=1\n\xc3\xbc=\xfc\n"), Err(NotText::Utf8 { line: 2, column: 3 }));
    }
}
