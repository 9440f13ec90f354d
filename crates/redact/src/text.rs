//! Strings in JSON: reading escapes, and writing text so that it is harmless in a terminal or a web page, which could take
//! control characters for commands.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

/// A string that still has its escapes, without the quotes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quoted<'a>(&'a str);

impl<'a> Quoted<'a> {
    /// The string whose opening quote is at `start` of a text that was checked to be JSON.
    pub(crate) fn at(text: &'a str, start: usize) -> Self {
        let body = &text[start + 1..];
        let mut from = 0;
        loop {
            match memchr::memchr2(b'"', b'\\', &body.as_bytes()[from..]) {
                Some(at) if body.as_bytes()[from + at] == b'\\' => from += at + 2,
                Some(at) => return Self(&body[..from + at]),
                None => return Self(body),
            }
        }
    }

    /// The string itself; `None` if it has a lone surrogate, which no Rust string can hold.
    pub(crate) fn decoded(self) -> Option<Cow<'a, str>> {
        if memchr::memchr(b'\\', self.0.as_bytes()).is_none() {
            return Some(Cow::Borrowed(self.0));
        }
        char::decode_utf16(self.units()).collect::<Result<String, _>>().ok().map(Cow::Owned)
    }

    /// Whether the string is this one.
    pub(crate) fn is(self, other: &str) -> bool {
        self.0 == other || self.decoded().is_some_and(|text| text == other)
    }

    /// Compares the decoded strings, not their escapes.
    pub(crate) fn order(self, other: Self) -> Ordering {
        let plain = |text: &str| memchr::memchr(b'\\', text.as_bytes()).is_none();
        if plain(self.0) && plain(other.0) {
            return self.0.cmp(other.0);
        }
        let units = |text: Self| char::decode_utf16(text.units()).map(|unit| unit.map_or(0xD800, u32::from));
        units(self).cmp(units(other))
    }

    /// The string with its escapes, to distinguish strings that cannot be decoded.
    pub(crate) fn as_written(self) -> &'a str {
        self.0
    }

    fn units(self) -> impl Iterator<Item = u16> + 'a {
        let mut chars = self.0.chars();
        let mut low = None;
        std::iter::from_fn(move || {
            if let Some(unit) = low.take() {
                return Some(unit);
            }
            let unit = match chars.next()? {
                '\\' => unescaped(&mut chars)?,
                other => {
                    let mut pair = [0; 2];
                    let units = other.encode_utf16(&mut pair);
                    low = units.get(1).copied();
                    units[0]
                }
            };
            Some(unit)
        })
    }
}

fn unescaped(chars: &mut std::str::Chars<'_>) -> Option<u16> {
    let plain = match chars.next()? {
        'b' => 8,
        'f' => 12,
        'n' => 10,
        'r' => 13,
        't' => 9,
        'u' => {
            let digits = chars.as_str().get(..4)?;
            *chars = chars.as_str()[4..].chars();
            return u16::from_str_radix(digits, 16).ok();
        }
        other => u16::try_from(u32::from(other)).ok()?,
    };
    Some(plain)
}

/// Writes a JSON string in ASCII alone. Control characters, bidirectional characters and all others that could affect a
/// terminal or an editor become `\u` escapes, as in Python's `json.dumps`.
pub(crate) fn write_quoted(out: &mut impl fmt::Write, text: &str) -> fmt::Result {
    out.write_char('"')?;
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|b| !matches!(b, b' '..=b'~') || b == b'"' || b == b'\\') {
        out.write_str(&rest[..at])?;
        let mut chars = rest[at..].chars();
        if let Some(char) = chars.next() {
            write_escape(out, char)?;
        }
        rest = chars.as_str();
    }
    out.write_str(rest)?;
    out.write_char('"')
}

fn write_escape(out: &mut impl fmt::Write, char: char) -> fmt::Result {
    match char {
        '"' => out.write_str("\\\""),
        '\\' => out.write_str("\\\\"),
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        '\u{8}' => out.write_str("\\b"),
        '\u{c}' => out.write_str("\\f"),
        other => other.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}")),
    }
}
