//! Names, values and paths as JSON strings, whatever their bytes. Text stays as it is. A byte that is not UTF-8 is written as
//! U+0000 and two hexadecimal digits (`/caf\u0000e9` is `/caf` and the byte E9): no name, value or path can hold
//! a NUL byte of its own, so every string that an earlier version wrote still means what it meant.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serializer};

/// The text for these bytes.
pub fn encode(bytes: &OsStr) -> String {
    let mut text = String::new();
    for chunk in bytes.as_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("\0{byte:02x}")));
    }
    text
}

/// The bytes of a text; `None` if a NUL in it is not followed by two hexadecimal digits.
fn decode(text: &str) -> Option<OsString> {
    let mut pieces = text.as_bytes().split(|byte| *byte == 0);
    let mut bytes = pieces.next().unwrap_or_default().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        bytes.extend_from_slice(rest);
    }
    Some(OsString::from_vec(bytes))
}

fn decoded<E: serde::de::Error>(text: &str) -> Result<OsString, E> {
    decode(text).ok_or_else(|| E::custom("a NUL character that stands for no byte"))
}

/// For a field that is one path.
pub(crate) mod path {
    use super::{Deserialize, Deserializer, PathBuf, Serializer, decoded, encode};

    pub(crate) fn is_empty(path: &std::path::Path) -> bool {
        path.as_os_str().is_empty()
    }

    pub(crate) fn serialize<S: Serializer>(path: &std::path::Path, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&encode(path.as_os_str()))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
        decoded(&String::deserialize(deserializer)?).map(PathBuf::from)
    }
}

/// For a field that is a list of paths.
pub(crate) mod paths {
    use super::{Deserialize, Deserializer, PathBuf, Serializer, decoded, encode};

    pub(crate) fn serialize<S: Serializer>(paths: &[PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(paths.iter().map(|path| encode(path.as_os_str())))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PathBuf>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts.iter().map(|text| decoded(text).map(PathBuf::from)).collect()
    }
}

/// For a field that is an environment.
pub(crate) mod variables {
    use std::collections::BTreeMap;

    use super::{Deserialize, Deserializer, OsString, Serializer, decoded, encode};

    pub(crate) fn serialize<S: Serializer>(
        variables: &BTreeMap<OsString, OsString>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(variables.iter().map(|(name, value)| (encode(name), encode(value))))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<OsString, OsString>, D::Error> {
        let texts = BTreeMap::<String, String>::deserialize(deserializer)?;
        texts.iter().map(|(name, value)| Ok((decoded(name)?, decoded(value)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_comes_back_and_text_stays_as_it_is() {
        for bytes in [&b""[..], b"/srv/app", b"caf\xe9/x", b"\xff\xfe", b"ab\xff12", "é\u{1f600}".as_bytes()]
        {
            let text = encode(OsStr::from_bytes(bytes));
            assert_eq!(decode(&text).as_deref(), Some(OsStr::from_bytes(bytes)), "{text:?}");
            assert!(std::str::from_utf8(bytes).is_ok_and(|plain| plain == text) || text.contains('\0'));
        }
        for broken in ["a\0", "a\0f", "a\0zz", "a\0\u{e9}"] {
            assert_eq!(decode(broken), None, "{broken:?}");
        }
    }
}
