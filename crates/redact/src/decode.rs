//! Decoded views of a text: percent encoding, base64, hexadecimal, JSON and shell escapes, HTML entities, UTF-16. If a
//! secret is recognised in one of these views, the whole original text is masked.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// How many decodings may be nested.
const DEPTH: usize = 3;
/// The views of one text may have this many times its length together.
const GROWTH: usize = 4;
/// Of a longer text only the beginning is decoded, in bytes.
const LONGEST: usize = 16 * 1024;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// All decoded views of a text, not the text itself.
pub(crate) fn views(text: &str) -> Vec<String> {
    let text = head(text, LONGEST);
    let mut views = Vec::new();
    let mut budget = text.len().saturating_mul(GROWTH).max(64);
    let mut from = 0;
    add_views(text, &mut views, &mut budget);
    for _ in 1..DEPTH {
        let until = views.len();
        for at in from..until {
            let view = views[at].clone();
            add_views(&view, &mut views, &mut budget);
        }
        from = until;
    }
    views
}

/// Whether the text is, or contains, readable text in base64 or hexadecimal. Names and ids are not written in that way;
/// secrets are.
pub(crate) fn hides_text(text: &str) -> bool {
    let encoded = base64_runs(text).filter(|run| run.len() >= 11).any(|run| {
        run.bytes().any(|b| b.is_ascii_uppercase()) && from_base64(run).is_some_and(|plain| plain.len() >= 8)
    });
    // Eight bytes separated by colons have seven of them; MAC addresses have fewer.
    let joined = (text.matches(':').count() >= 7).then(|| text.replace(':', ""));
    encoded || [Some(text), joined.as_deref()].into_iter().flatten().any(hides_text_in_hex)
}

fn hides_text_in_hex(text: &str) -> bool {
    hex_runs(text).any(|plain| plain.len() >= 8)
}

/// At most `length` bytes of a text, cut between two characters.
pub(crate) fn head(text: &str, length: usize) -> &str {
    let mut end = length.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn add_views(text: &str, views: &mut Vec<String>, budget: &mut usize) {
    let mut add = |view: Option<String>| {
        if let Some(view) = view.filter(|view| view != text && !view.is_empty() && view.len() <= *budget) {
            *budget -= view.len();
            views.push(view);
        }
    };
    add(text.contains('%').then(|| percent(text, b'%')));
    // Quoted-printable, and bytes separated by colons, are distinguished from names by the number of their separators.
    add((text.matches('=').count() >= 4).then(|| percent(text, b'=')));
    add((text.matches(':').count() >= 3).then(|| text.replace(':', "")));
    // A document may be quoted several times, as a string in a string. Without backslashes and quotes its content is
    // always the same.
    add(text.contains("\\\"").then(|| text.replace(['\\', '"', '\''], "")));
    let unescaped = text.contains('\\').then(|| backslash(text));
    // `\xd0\xbf` is one letter of two bytes.
    add(unescaped.as_deref().filter(|plain| !plain.is_ascii()).and_then(from_latin1));
    add(unescaped);
    add(text.contains('&').then(|| entities(text)));
    add(text.contains('\0').then(|| text.replace('\0', "")));
    add(text.contains(['\'', '"']).then(|| text.replace(['\'', '"'], "")));
    add((!text.is_ascii()).then(|| text.chars().filter_map(plain_char).collect()));
    for run in base64_runs(text).filter(|run| run.len() >= 8) {
        (0..4).for_each(|skip| add(run.get(skip..).and_then(from_base64)));
    }
    hex_runs(text).for_each(|plain| add(Some(plain)));
}

/// The runs of base64 characters. A run with the special characters of both alphabets is not base64 as a whole, but its
/// parts may be, each in one alphabet.
fn base64_runs(text: &str) -> impl Iterator<Item = &str> {
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '-' | '_');
    text.split(move |c| !is_base64(c)).flat_map(|run| {
        let both = run.contains(['-', '_']) && run.contains(['+', '/']);
        let inner = [['-', '_'], ['+', '/']].into_iter().filter(move |_| both);
        std::iter::once(run).chain(inner.flat_map(move |marks| run.split(marks)))
    })
}

/// A character as a reader sees it: a full-width letter becomes the plain letter, and a character without width is left
/// out.
fn plain_char(char: char) -> Option<char> {
    match char {
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}' => None,
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(char) - 0xfee0),
        other => Some(other),
    }
}

/// The readable text in a run of base64; `None` if there is none.
fn from_base64(run: &str) -> Option<String> {
    let run = run.trim_end_matches('=');
    let whole = &run[..run.len() - usize::from(run.len() % 4 == 1)];
    if !begins_as_text(whole) {
        return None;
    }
    let bytes = if whole.contains(['-', '_']) { URL_SAFE.decode(whole) } else { STANDARD.decode(whole) };
    readable(bytes.ok()?)
}

/// Whether the first six bytes of a run decode to text, because most runs need not be decoded further.
fn begins_as_text(run: &str) -> bool {
    let mut bytes = [0; 6];
    let decoded = run.get(..8).map(|start| {
        if start.contains(['-', '_']) {
            URL_SAFE.decode_slice_unchecked(start, &mut bytes)
        } else {
            STANDARD.decode_slice_unchecked(start, &mut bytes)
        }
    });
    match decoded {
        Some(Ok(_)) => std::str::from_utf8(&bytes).map_or_else(|error| error.error_len().is_none(), |_| true),
        // A run with characters of both alphabets is not base64; a short run is decoded as a whole.
        Some(Err(_)) => false,
        None => true,
    }
}

fn hex_runs(text: &str) -> impl Iterator<Item = String> + '_ {
    let runs = text.split(|c: char| !c.is_ascii_hexdigit()).filter(|run| run.len() >= 8);
    runs.filter_map(|run| {
        let pairs = run.as_bytes().chunks_exact(2);
        let bytes = pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
        readable(bytes.collect::<Option<Vec<u8>>>()?)
    })
}

/// Bytes as text, if they are UTF-8 or UTF-16 without control characters.
fn readable(bytes: Vec<u8>) -> Option<String> {
    let plain = |text: &str| {
        text.len() >= 4 && !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
    };
    let wide = wide(&bytes).filter(|text| plain(text));
    wide.or_else(|| String::from_utf8(bytes).ok().filter(|text| plain(text)))
}

/// UTF-16 in either byte order: every second byte of such text is usually zero.
fn wide(bytes: &[u8]) -> Option<String> {
    let zeros = |from: usize| bytes.iter().skip(from).step_by(2).filter(|byte| **byte == 0).count();
    let half = bytes.len() / 2;
    let little = zeros(1) * 2 > half;
    if half < 4 || !(little || zeros(0) * 2 > half) {
        return None;
    }
    let unit = |pair: &[u8]| {
        if little { u16::from_le_bytes([pair[0], pair[1]]) } else { u16::from_be_bytes([pair[0], pair[1]]) }
    };
    let units: Vec<u16> = bytes.chunks_exact(2).map(unit).filter(|unit| *unit != 0xFEFF).collect();
    String::from_utf16(&units).ok()
}

/// Reads characters below 256 as the bytes of UTF-8.
fn from_latin1(text: &str) -> Option<String> {
    let bytes = text.chars().map(|char| u8::try_from(u32::from(char)).ok());
    String::from_utf8(bytes.collect::<Option<Vec<u8>>>()?).ok()
}

/// Decodes two hexadecimal digits after a sign: `%41`, or `=41` of quoted-printable.
fn percent(text: &str, sign: u8) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        // `%u0041` is an old encoding of letters by browsers.
        let wide = usize::from(bytes[at..].starts_with(b"%u00")) * 3;
        let byte = (bytes[at] == sign).then(|| hex_byte(bytes.get(at + wide + 1..at + wide + 3)?)).flatten();
        out.push(byte.unwrap_or(bytes[at]));
        at += if byte.is_some() { 3 + wide } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Decodes JSON, C and shell escapes: `
/// `, `\"`, `\u0041`, `\x41`, `\101`, `\ `.
fn backslash(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(first) = rest.chars().next() else { break };
        let (digits, radix, skip) = match first {
            'u' if rest.starts_with("u{") => (rest[2..].split('}').next().unwrap_or_default(), 16, 2),
            'u' => (rest.get(1..5).unwrap_or_default(), 16, 1),
            'x' => (rest.get(1..3).unwrap_or_default(), 16, 1),
            '0'..='7' => (rest.get(..3).unwrap_or_default(), 8, 0),
            _ => ("", 10, 0),
        };
        let code = u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
        let plain = match first {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            other => other,
        };
        out.push(code.unwrap_or(plain));
        rest = if code.is_some() { &rest[skip + digits.len()..] } else { &rest[first.len_utf8()..] };
    }
    out.push_str(rest);
    out
}

fn entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let name = rest.split(';').next().filter(|name| name.len() <= 10 && name.len() < rest.len());
        let char = name.and_then(entity);
        out.push(char.unwrap_or('&'));
        if let (Some(_), Some(name)) = (char, name) {
            rest = &rest[name.len() + 1..];
        }
    }
    out.push_str(rest);
    out
}

fn entity(name: &str) -> Option<char> {
    let code = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "equals" => Some('='),
        "colon" => Some(':'),
        "commat" => Some('@'),
        _ => match name.strip_prefix("#x").or_else(|| name.strip_prefix("#X")) {
            Some(digits) => code(digits, 16),
            None => code(name.strip_prefix('#')?, 10),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{hides_text, views};

    #[test]
    fn a_text_is_seen_through_every_encoding_and_two_at_once() {
        let secret = "correct horse 42";
        let encoded = [
            "correct%20horse%2042",
            r"correct\u0020horse\x2042",
            "correct&#32;horse&#x20;42",
            "correct%u0020horse%u002042",
            "corr\u{200b}ect horse\u{ad} 42",
            "ｃorrect horse ４2",
            "=63=6F=72=72=65=63=74=20horse=20=34=32",
            "63:6f:72:72:65:63:74:20:68:6f:72:73:65:20:34:32",
            "-c/Y29ycmVjdCBob3JzZSA0Mg==",
            "Y29ycmVjdCBob3JzZSA0Mg==",
            "Y29ycmVjdCBob3JzZSA0Mg",
            "xY29ycmVjdCBob3JzZSA0Mg",
            "636f727265637420686f727365203432",
            "YwBvAHIAcgBlAGMAdAAgAGgAbwByAHMAZQAgADQAMgA=",
            "Y29ycmVjdCUyMGhvcnNlJTIwNDI=",
            r"correct\ horse\ 42",
            "c\0o\0r\0r\0e\0c\0t\0 \0h\0o\0r\0s\0e\0 \x004\x002\0",
        ];
        let unseen = |text: &&&str| !views(text).iter().any(|view| view.contains(secret));
        assert_eq!(encoded.iter().filter(unseen).collect::<Vec<_>>(), Vec::<&&str>::new());
    }

    #[test]
    fn views_never_hold_more_than_four_times_the_text() {
        let text = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB".repeat(200);
        assert!(views(&text).iter().map(String::len).sum::<usize>() <= 4 * text.len());
    }

    #[test]
    fn readable_text_in_base64_is_told_from_names() {
        assert!(hides_text("Y29ycmVjdGhvcnNl") && hides_text("636f7272656374686f727365"));
        assert!(hides_text("63:6f:72:72:65:63:74:0a:68:6f:72:73:65"));
        let names = [
            "02:42:ac:18:00:02",
            "fd00:dead:beef:0:0:242:ac11:2",
            "productionserver",
            "MaximumRetryCount",
            "docker-entrypoint",
            "50f05446ea11",
            "myAppFrontendService",
        ];
        assert_eq!(names.iter().filter(|name| hides_text(name)).collect::<Vec<_>>(), Vec::<&&str>::new());
    }
}
