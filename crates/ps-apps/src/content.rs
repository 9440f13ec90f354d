//! The content of a file in JSON, which preserves every byte.

use serde::{Deserialize, Serialize};

/// The bytes of a file. In JSON they are a text in which each byte is one character, U+0000 to U+00FF.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bytes(pub Vec<u8>);

impl From<Bytes> for String {
    fn from(bytes: Bytes) -> Self {
        bytes.0.into_iter().map(char::from).collect()
    }
}

impl TryFrom<String> for Bytes {
    type Error = std::char::TryFromCharError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.chars().map(u8::try_from).collect::<Result<_, _>>().map(Self)
    }
}

/// A file's content: a JSON string, or `{"bytes": …}` if it is not UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Text {
    /// UTF-8.
    Plain(String),
    /// Content that is not UTF-8, one character for each byte.
    Other {
        /// The bytes.
        bytes: Bytes,
    },
}

impl Text {
    /// The content, byte by byte as in the file.
    pub fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Plain(text) => text.into_bytes(),
            Self::Other { bytes } => bytes.0,
        }
    }
}

impl From<&Bytes> for Text {
    fn from(bytes: &Bytes) -> Self {
        let text = String::from_utf8(bytes.0.clone());
        text.map_or_else(|_| Self::Other { bytes: bytes.clone() }, Self::Plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text_and_other_bytes_come_back() {
        for (bytes, json) in [
            ("web: caf\u{e9}\n".as_bytes(), "\"web: caf\u{e9}\\n\""),
            (b"web: caf\xe9", "{\"bytes\":\"web: caf\u{e9}\"}"),
        ] {
            let text = Text::from(&Bytes(bytes.to_vec()));
            assert_eq!(serde_json::to_string(&text).expect("plain data"), json);
            assert_eq!(serde_json::from_str::<Text>(json).expect("readable").into_bytes(), bytes);
        }
    }

    #[test]
    fn every_byte_of_a_file_survives_the_one_file() {
        let bytes = Bytes((0..=255).collect());
        let json = serde_json::to_string(&bytes).expect("plain data");
        assert_eq!(serde_json::from_str::<Bytes>(&json).expect("readable"), bytes);
        assert!(serde_json::from_str::<Bytes>("\"\u{20ac}\"").is_err(), "no byte is that large");
    }
}
