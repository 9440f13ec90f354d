//! Splits a line of a systemd unit into words: quotes of both kinds, and the escapes of C inside and outside of quotes.

/// The words of a line, without quotes and with escapes replaced.
pub(crate) fn split(line: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quote = None;
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match (quote, c) {
            (None, c) if c.is_ascii_whitespace() => words.extend(word.take()),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(open), c) if open == c => quote = None,
            (_, '\\') => {
                let (bytes, after) =
                    escape(rest).ok_or("it has a backslash before what systemd does not know")?;
                word.get_or_insert_default().extend(bytes);
                rest = after;
            }
            (_, c) => word.get_or_insert_default().extend(c.to_string().into_bytes()),
        }
    }
    if quote.is_some() {
        return Err("it has a quote that is not closed");
    }
    words.extend(word);
    words.into_iter().map(|word| String::from_utf8(word).map_err(|_| "it is not UTF-8")).collect()
}

/// The bytes that the escape behind a backslash stands for, and the text behind the escape.
fn escape(text: &str) -> Option<(Vec<u8>, &str)> {
    let first = text.chars().next()?;
    let behind = &text[first.len_utf8()..];
    let plain = |byte: u8| Some((vec![byte], behind));
    match first {
        'a' => plain(7),
        'b' => plain(8),
        'f' => plain(12),
        'n' => plain(b'\n'),
        'r' => plain(b'\r'),
        't' => plain(b'\t'),
        'v' => plain(11),
        's' => plain(b' '),
        '\\' | '"' | '\'' => plain(u8::try_from(first).ok()?),
        'x' => number(behind, 2, 16, true),
        'u' => number(behind, 4, 16, false),
        'U' => number(behind, 8, 16, false),
        '0'..='7' => number(text, 3, 8, true),
        _ => None,
    }
}

fn number(text: &str, digits: usize, base: u32, byte: bool) -> Option<(Vec<u8>, &str)> {
    let number =
        text.get(..digits).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_alphanumeric()))?;
    let value = u32::from_str_radix(number, base).ok().filter(|value| *value != 0)?;
    let bytes =
        if byte { vec![u8::try_from(value).ok()?] } else { char::from_u32(value)?.to_string().into_bytes() };
    Some((bytes, &text[digits..]))
}

/// The text with `%%` replaced by a percent sign; `None` if it has any other specifier, which only systemd could replace.
pub(crate) fn unspecified(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' if chars.next() != Some('%') => return None,
            c => plain.push(c),
        }
    }
    Some(plain)
}
