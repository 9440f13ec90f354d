//! A dotenv file: what it says, on which line, and what is odd about it (docs/dotenv.md). Errors and warnings name the
//! line and the variable and never quote a value: the file holds secrets.

use std::collections::HashMap;

use crate::env_file_error::{EnvFileError, EnvFileWarning};

/// All values of a file together, in bytes: far more than a process can be given.
const MAX_VALUES: usize = 8 << 20;

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
