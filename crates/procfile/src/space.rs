//! White space as the grammar defines it. There are two sets on purpose: between name and delimiter only ASCII blanks
//! count (without the vertical tab), while the ends of a line and of a command are trimmed of all Unicode white
//! space. Both work on bytes, because a command may hold bytes that are not UTF-8.

/// White space characters beyond ASCII, in UTF-8.
const WIDE: [&[u8]; 19] = [
    b"\xc2\x85",
    b"\xc2\xa0",
    b"\xe1\x9a\x80",
    b"\xe2\x80\x80",
    b"\xe2\x80\x81",
    b"\xe2\x80\x82",
    b"\xe2\x80\x83",
    b"\xe2\x80\x84",
    b"\xe2\x80\x85",
    b"\xe2\x80\x86",
    b"\xe2\x80\x87",
    b"\xe2\x80\x88",
    b"\xe2\x80\x89",
    b"\xe2\x80\x8a",
    b"\xe2\x80\xa8",
    b"\xe2\x80\xa9",
    b"\xe2\x80\xaf",
    b"\xe2\x81\x9f",
    b"\xe3\x80\x80",
];

/// Whether a byte counts as white space inside a line: tab, LF, FF, CR, space.
pub(crate) fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace()
}

/// The text without leading Unicode white space.
pub(crate) fn trim_start(mut text: &[u8]) -> &[u8] {
    while let Some((&first, rest)) = text.split_first() {
        text = match first {
            0x80.. => match WIDE.iter().find_map(|wide| text.strip_prefix(*wide)) {
                Some(rest) => rest,
                None => return text,
            },
            _ if is_narrow(first) => rest,
            _ => return text,
        }
    }
    text
}

/// The text without trailing Unicode white space.
pub(crate) fn trim_end(mut text: &[u8]) -> &[u8] {
    while let Some((&last, rest)) = text.split_last() {
        text = match last {
            0x80.. => match WIDE.iter().find_map(|wide| text.strip_suffix(*wide)) {
                Some(rest) => rest,
                None => return text,
            },
            _ if is_narrow(last) => rest,
            _ => return text,
        }
    }
    text
}

fn is_narrow(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trimmed_set_is_the_one_of_str_trim() {
        for c in ('\0'..=char::MAX).filter(|c| *c != 'x') {
            let text = format!("{c}x{c}");
            assert_eq!(trim_end(trim_start(text.as_bytes())), text.trim().as_bytes(), "{c:?}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_no_space() {
        assert_eq!(trim_end(trim_start(b" \xa0x\x85 ")), b"\xa0x\x85");
        assert_eq!(trim_end(trim_start(b"\xe2\x80")), b"\xe2\x80");
    }
}
