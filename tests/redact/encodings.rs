//! How a secret may be written. Each encoding is the inverse of a view that the oracle has; none of this is the crate's.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// What an encoding is called, and what it does.
pub(crate) type Encoding = (&'static str, fn(&str) -> String);

pub(crate) const ENCODINGS: &[Encoding] = &[
    ("as it is", str::to_owned),
    ("percent", |text| text.bytes().map(|b| format!("%{b:02X}")).collect()),
    ("percent where needed", |text| {
        text.bytes()
            .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02x}") })
            .collect()
    }),
    ("base64", |text| STANDARD.encode(text)),
    ("base64url without padding", |text| URL_SAFE_NO_PAD.encode(text)),
    ("base64 of something before it", |text| STANDARD.encode(format!("x{text}"))),
    ("base64 twice", |text| STANDARD.encode(STANDARD.encode(text))),
    ("base64 of percent", |text| STANDARD.encode(ENCODINGS[2].1(text))),
    ("base64 of utf-16", |text| {
        STANDARD.encode(text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>())
    }),
    ("hexadecimal", |text| text.bytes().map(|b| format!("{b:02x}")).collect()),
    ("json in a string", |text| serde_json::json!({ "value": text }).to_string()),
    ("json in a string in a string", |text| {
        serde_json::json!(serde_json::json!({ "v": text }).to_string()).to_string()
    }),
    ("unicode escapes", |text| text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()),
    ("byte escapes", |text| text.bytes().map(|b| format!("\\x{b:02x}")).collect()),
    ("html entities", |text| text.chars().map(|c| format!("&#{};", u32::from(c))).collect()),
    ("zeros between", |text| text.chars().flat_map(|c| [c, '\0']).collect()),
    ("quoted-printable", |text| text.bytes().map(|b| format!("={b:02X}")).collect()),
    ("bytes with colons", |text| text.bytes().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(":")),
    ("octal escapes", |text| text.bytes().map(|b| format!("\\{b:03o}")).collect()),
    ("shell quotes", |text| format!("'{}'", text.replace('\'', "'\\''"))),
];

/// Whether the encoded text can be told from a name: it has marks of its own, or hides eight characters or more.
pub(crate) fn tells_itself(encoding: &str, secret: &str) -> bool {
    secret.len() >= 8 && !matches!(encoding, "as it is" | "percent where needed" | "shell quotes")
}
