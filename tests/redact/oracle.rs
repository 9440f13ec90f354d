//! Decides whether a planted secret came out again, by code that knows nothing of the crate: the output is looked at as
//! it stands and through every decoding, for any six characters in a row of a secret's random part.

use std::collections::HashSet;

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

/// Characters in a row that count as a leak; more for alphabets in which six come together by chance.
fn window(canary: &str) -> usize {
    let wanted = match canary {
        hex if hex.bytes().all(|b| b.is_ascii_hexdigit()) => 12,
        letters if letters.bytes().all(|b| b.is_ascii_lowercase()) => 8,
        short if short.len() < 9 => 8,
        _ => 6,
    };
    wanted.min(canary.len())
}

/// An output in all its views.
pub(crate) struct Output {
    windows: HashSet<Vec<u8>>,
}

impl Output {
    /// Looks at a JSON text.
    pub(crate) fn of(text: &str) -> Self {
        let mut views = Vec::new();
        for line in text.lines().filter(|_| !text.starts_with('[') || !text.contains("\n ")) {
            views.extend(serde_json::from_str::<Value>(line).ok().map(|value| strings(&value)));
        }
        if let Ok(value) = serde_json::from_str::<Value>(text) {
            views.push(strings(&value));
        }
        let mut all: Vec<String> = views.into_iter().flatten().collect();
        for _ in 0..2 {
            let decoded: Vec<String> = all.iter().flat_map(|text| decodings(text)).collect();
            all.extend(decoded);
            all.sort_unstable();
            all.dedup();
        }
        all.push(text.to_owned());
        let reversed: Vec<String> = all.iter().map(|text| text.chars().rev().collect()).collect();
        all.extend(reversed);
        let mut output = Self { windows: HashSet::new() };
        for text in &all {
            for length in [4, 5, 6, 7, 8, 9, 12] {
                output.windows.extend(text.as_bytes().windows(length).map(<[u8]>::to_vec));
            }
        }
        output
    }

    /// Whether any of the random parts can be read in it.
    pub(crate) fn shows(&self, canaries: &[String]) -> bool {
        canaries.iter().any(|canary| {
            let first = &canary.as_bytes()[..canary.len().min(200)];
            first.windows(window(canary)).any(|part| self.windows.contains(part))
        })
    }
}

/// All keys and strings of a document.
fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(map) => {
            map.iter().flat_map(|(key, value)| [vec![key.clone()], strings(value)].concat()).collect()
        }
        _ => Vec::new(),
    }
}

fn decodings(text: &str) -> Vec<String> {
    let mut views =
        vec![unpercent(text), unescape(text), text.replace('\0', ""), text.replace(['\'', '"', '\\'], "")];
    views.extend([unpercent(&text.replace('=', "%")), text.replace(':', "")]);
    let lenient = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let alphabets = [GeneralPurpose::new(&STANDARD, lenient), GeneralPurpose::new(&URL_SAFE, lenient)];
    for run in
        text.split(|c: char| !(c.is_ascii_alphanumeric() || "+/-_".contains(c))).filter(|run| run.len() >= 8)
    {
        for skip in 0..4 {
            let part = &run[skip..run.len() - usize::from((run.len() - skip) % 4 == 1)];
            views.extend(alphabets.iter().filter_map(|alphabet| alphabet.decode(part).ok()).map(text_of));
        }
        let hex = run
            .as_bytes()
            .chunks_exact(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
        views.extend(hex.collect::<Option<Vec<u8>>>().map(text_of));
    }
    views.retain(|view| view != text && view.len() >= 4);
    views
}

fn text_of(bytes: Vec<u8>) -> String {
    let bytes: Vec<u8> = bytes.into_iter().filter(|byte| *byte != 0).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn unpercent(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code = after.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = code.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// `\u0041`, `\x41`, `\101` and `&#65;`.
fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let found =
            [("\\u", 4, 16), ("\\x", 2, 16), ("\\", 3, 8)].iter().find_map(|(mark, length, radix)| {
                let digits = rest.strip_prefix(mark)?.get(..*length)?;
                Some((char::from_u32(u32::from_str_radix(digits, *radix).ok()?)?, mark.len() + length))
            });
        let entity = || {
            let digits = rest.strip_prefix("&#")?.split(';').next()?;
            Some((char::from_u32(digits.parse().ok()?)?, digits.len() + 3))
        };
        let (char, length) = found.or_else(entity).unwrap_or((first, first.len_utf8()));
        out.push(char);
        rest = &rest[length.min(rest.len())..];
    }
    out
}
