//! A dotenv file: what it says, on which line, and what is odd about it (docs/dotenv.md). Errors and warnings name the
//! line and the variable and never quote a value: the file holds secrets.

use std::collections::HashMap;

use crate::document::BOM;
use crate::dotenv;
use crate::expand::Ambient;

pub use crate::env_file_error::{EnvFileError, EnvFileWarning, Oddity};

/// All values of a file together, in bytes: far more than a process can be given.
const MAX_VALUES: usize = 8 << 20;

/// In which grammar a file is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grammar {
    /// Ours: for every file that a person wrote.
    #[default]
    Own,
    /// That of the parser in Dokku: for the ENV files that Dokku writes.
    Dokku,
}

/// How a file is read.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// In which grammar.
    pub grammar: Grammar,
    /// The variables that are there before the file: its `$NAME` may name them. Dokku's grammar asks for none.
    pub known: &'a Ambient<'a>,
}

/// The variables of an env file, in the order in which they first stand; a repeated one has its last value. A value
/// without a name is left out: nothing could ask for it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct EnvFile {
    variables: Vec<Variable>,
    places: HashMap<Vec<u8>, usize>,
    warnings: Vec<EnvFileWarning>,
    size: usize,
}

#[derive(Clone, PartialEq, Eq)]
struct Variable {
    key: Text,
    value: Text,
    line: usize,
}

/// Bytes, and the same as text.
#[derive(Clone, PartialEq, Eq)]
struct Text {
    text: String,
    /// Only where the bytes are no UTF-8.
    raw: Option<Vec<u8>>,
}

impl EnvFile {
    /// Reads an env file in our grammar; nothing is known before it.
    ///
    /// ```
    /// let env = procfile::EnvFile::parse(b"HOST=a.example\nURL=\"http://$HOST/\" # public\n")?;
    /// assert_eq!(env.get("URL"), Some("http://a.example/"));
    /// # Ok::<(), procfile::EnvFileError>(())
    /// ```
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvFileError> {
        Self::parse_with(bytes, &Reading { grammar: Grammar::Own, known: &|_| None })
    }

    /// Reads an env file as `reading` says.
    ///
    /// ```
    /// use procfile::{EnvFile, Grammar, Reading};
    ///
    /// let known = |name: &[u8]| (name == b"PATH").then(|| b"/bin".to_vec());
    /// let reading = Reading { grammar: Grammar::Own, known: &known };
    /// let env = EnvFile::parse_with(b"PATH=./bin:$PATH\nHASH=$2y$10$abc\n", &reading)?;
    /// assert_eq!(env.get("PATH"), Some("./bin:/bin"));
    /// assert_eq!(env.get("HASH"), Some("$2y$10$abc"));
    /// assert_eq!(env.warnings()[0].line, 2);
    /// # Ok::<(), procfile::EnvFileError>(())
    /// ```
    pub fn parse_with(bytes: &[u8], reading: &Reading<'_>) -> Result<Self, EnvFileError> {
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            return Err(EnvFileError::Utf16);
        }
        let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
        let mut file = Self::default();
        dotenv::read(bytes, reading, &mut file)?;
        Ok(file)
    }

    /// What is odd about the file, in its order. Nothing of it keeps a value from being what it is.
    pub fn warnings(&self) -> &[EnvFileWarning] {
        &self.warnings
    }

    /// The line on which a variable has its value, from 1.
    pub fn line_of(&self, key: &[u8]) -> Option<usize> {
        self.find(key).map(|variable| variable.line)
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
    pub(crate) fn set(&mut self, key: &[u8], value: Vec<u8>, line: usize) -> Result<(), EnvFileError> {
        self.has_room(value.len(), line, key)?;
        self.size += value.len();
        if let Some(at) = self.places.get(key) {
            let variable = &mut self.variables[*at];
            self.size -= variable.value.bytes().len();
            (variable.value, variable.line) = (value.into(), line);
        } else {
            self.places.insert(key.to_vec(), self.variables.len());
            self.variables.push(Variable { key: key.to_vec().into(), value: value.into(), line });
        }
        Ok(())
    }

    /// Whether a value of that many bytes still has a place: references let a small file say a lot.
    pub(crate) fn has_room(&self, len: usize, line: usize, key: &[u8]) -> Result<(), EnvFileError> {
        if len > MAX_VALUES - self.size.min(MAX_VALUES) {
            return Err(EnvFileError::TooLarge { line, name: EnvFileError::shown(key) });
        }
        Ok(())
    }

    pub(crate) fn warn(&mut self, warning: EnvFileWarning) {
        if self.warnings.last() != Some(&warning) {
            self.warnings.push(warning);
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

    /// Dokku's grammar; tests/dotenv.rs holds ours.
    fn parse(text: &str) -> Result<EnvFile, EnvFileError> {
        let reading = Reading { grammar: Grammar::Dokku, known: &|_| None };
        EnvFile::parse_with(text.as_bytes(), &reading)
    }

    fn read(text: &str) -> Vec<(String, String)> {
        let file = parse(text).expect("legal");
        file.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    fn value(text: &str) -> String {
        read(text).pop().expect("one variable").1
    }

    fn refusal(text: &str) -> String {
        parse(text).expect_err("broken on purpose").to_string()
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
        let file = EnvFile::parse(b"A\xff-b.c=1\nB='\x01\xfe'\n").expect("legal");
        assert_eq!((file.get_bytes(b"A\xff-b.c"), file.line_of(b"B")), (Some(&b"1"[..]), Some(2)));
    }
}
