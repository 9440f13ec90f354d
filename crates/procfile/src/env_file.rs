//! A dotenv file, as Dokku writes and reads it (contract, section 5). Errors name the line and never quote the
//! file: it holds secrets. Quirks that change a value silently are not copied: a backslash before a closing quote,
//! `$(NAME)` and `${NAME:-…}` stay what they are.

use std::collections::HashMap;

use crate::document::BOM;
use crate::dotenv;

/// The variables of an env file, in the order in which they first stand; a repeated one has its last value. A value
/// without a name is left out: nothing could ask for it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct EnvFile {
    variables: Vec<Variable>,
    places: HashMap<Vec<u8>, usize>,
}

#[derive(Clone, PartialEq, Eq)]
struct Variable {
    key: Text,
    value: Text,
}

/// Bytes, and the same as text.
#[derive(Clone, PartialEq, Eq)]
struct Text {
    text: String,
    /// Only where the bytes are no UTF-8.
    raw: Option<Vec<u8>>,
}

/// Why a text is no env file. Lines count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvFileError {
    /// A key may hold letters, digits, `_`, `.`, and blanks inside.
    #[error("line {line}: unexpected character {character:?} in variable name")]
    UnexpectedCharacter {
        /// Where.
        line: usize,
        /// Which.
        character: char,
    },
    /// `export` with nothing to export.
    #[error("line {line}: variable name missing after export")]
    MissingName {
        /// Where.
        line: usize,
    },
    /// No closing quote before the end of the file.
    #[error("line {line}: unterminated quoted value")]
    Unterminated {
        /// Where the quote was opened.
        line: usize,
    },
}

impl EnvFile {
    /// Reads an env file.
    ///
    /// ```
    /// let env = procfile::EnvFile::parse(b"HOST=a.example\nURL=\"http://$HOST/\" # public\n")?;
    /// assert_eq!(env.get("URL"), Some("http://a.example/"));
    /// # Ok::<(), procfile::EnvFileError>(())
    /// ```
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvFileError> {
        let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
        let mut file = Self::default();
        dotenv::read(bytes, &mut file)?;
        Ok(file)
    }

    /// A value; bytes that are not UTF-8 show as U+FFFD (exact: [`EnvFile::get_bytes`]).
    pub fn get(&self, key: &str) -> Option<&str> {
        self.find(key.as_bytes()).map(|variable| variable.value.text.as_str())
    }

    /// A value, byte for byte.
    pub fn get_bytes(&self, key: &[u8]) -> Option<&[u8]> {
        self.find(key).map(|variable| variable.value.bytes())
    }

    /// Keys and values in file order, as text: bytes that are not UTF-8 show as U+FFFD.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.variables.iter().map(|variable| (variable.key.text.as_str(), variable.value.text.as_str()))
    }

    /// Keys and values in file order, byte for byte.
    pub fn iter_bytes(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> {
        self.variables.iter().map(|variable| (variable.key.bytes(), variable.value.bytes()))
    }

    /// How many variables there are.
    pub fn len(&self) -> usize {
        self.variables.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.variables.is_empty()
    }

    /// Adds a variable, or gives one that is there a new value.
    pub(crate) fn set(&mut self, key: &[u8], value: Vec<u8>) {
        if let Some(at) = self.places.get(key) {
            self.variables[*at].value = value.into();
        } else {
            self.places.insert(key.to_vec(), self.variables.len());
            self.variables.push(Variable { key: key.to_vec().into(), value: value.into() });
        }
    }

    fn find(&self, key: &[u8]) -> Option<&Variable> {
        self.places.get(key).map(|at| &self.variables[*at])
    }
}

impl std::fmt::Debug for EnvFile {
    /// Names only: values may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter().map(|(key, _)| key)).finish()
    }
}

impl Text {
    fn bytes(&self) -> &[u8] {
        self.raw.as_deref().unwrap_or(self.text.as_bytes())
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self { text, raw: None },
            Err(not_text) => Self {
                text: String::from_utf8_lossy(not_text.as_bytes()).into_owned(),
                raw: Some(not_text.into_bytes()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        let file = EnvFile::parse(text.as_bytes()).expect("legal");
        file.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    fn value(text: &str) -> String {
        read(text).pop().expect("one variable").1
    }

    fn refusal(text: &str) -> String {
        EnvFile::parse(text.as_bytes()).expect_err("broken on purpose").to_string()
    }

    #[test]
    fn keys_come_in_file_order_and_the_last_value_wins() {
        let file = read("\u{feff}B=1\r\n# c\r\nexport A=2\nB=3\nC: 4\nexportD=5\n");
        let pairs: Vec<_> = file.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(pairs, ["B=3", "A=2", "C=4", "exportD=5"]);
    }

    #[test]
    fn unquoted_values_end_at_the_last_comment() {
        for (text, expected) in [
            ("A=1 # c # d\n", "1 # c"),
            ("A=1#c", "1#c"),
            ("A= # c\n", "# c"),
            ("A=  two words \t\n", "two words"),
            ("A=b=c", "b=c"),
            ("A=", ""),
            ("A=a\\nb", "a\\nb"),
        ] {
            assert_eq!(value(text), expected, "{text:?}");
        }
    }

    #[test]
    fn quotes_may_span_lines() {
        for (text, expected) in [
            ("A=\"l1\nl2\"", "l1\nl2"),
            ("A='l1\nl2'", "l1\nl2"),
            ("A=\"a\\nb\\tc\\\\d\"", "a\nbtc\\d"),
            ("A=\"a\\\"b\"", "a\"b"),
            ("A='a\\'b'", "a\\'b"),
            ("A='a # b'", "a # b"),
            ("A=\"x\\\\\"\n", "x\\"),
            ("A='$B'", "$B"),
            ("A=\"\"", ""),
        ] {
            assert_eq!(value(text), expected, "{text:?}");
        }
        assert_eq!(read("A=\"x\"B=2").len(), 2);
    }

    #[test]
    fn earlier_keys_are_expanded_and_shell_text_is_left_alone() {
        for (rest, expected) in [
            ("$A", "1"),
            ("${A}x", "1x"),
            ("$NOPE.", "."),
            ("\\$A", "$A"),
            ("$a ${a}", "$a ${a}"),
            ("$(A)", "$(A)"),
            ("$(cmd)", "$(cmd)"),
            ("${A:-x}", "${A:-x}"),
            ("$A}", "1"),
            ("$ $", "$ $"),
            ("\"$A\"", "1"),
            ("\"\\$A\"", "$A"),
        ] {
            assert_eq!(value(&format!("A=1\nB={rest}\n")), expected, "{rest:?}");
        }
        assert_eq!(read("B=$A\nA=1")[0].1, "");
    }

    #[test]
    fn errors_name_the_line_and_keep_the_secrets() {
        assert_eq!(refusal("A=1\n\nB-C=s3cret\n"), "line 3: unexpected character '-' in variable name");
        assert_eq!(refusal("FOO\nA=1"), "line 1: unexpected character '\\n' in variable name");
        assert_eq!(refusal("A=1\nB='s3cret\n"), "line 2: unterminated quoted value");
        assert_eq!(refusal("A=\"x\"\n-"), "line 2: unexpected character '-' in variable name");
    }

    #[test]
    fn bytes_that_are_not_utf8_are_kept() {
        let file = EnvFile::parse(b"A=a\xffb\n").expect("legal");
        assert_eq!((file.get("A"), file.get_bytes(b"A")), (Some("a\u{fffd}b"), Some(&b"a\xffb"[..])));
    }
}
