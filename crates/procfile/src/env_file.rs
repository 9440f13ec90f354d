//! A dotenv file after it was read: its variables, the line of each, and warnings about lines that probably mean
//! something else (docs/dotenv.md). Errors and warnings name the line and the variable and never quote a value,
//! because the file holds secrets.

use std::collections::HashMap;

use crate::env_file_error::{EnvFileError, EnvFileWarning};

/// The most bytes that all values of a file may have together. It is far more than the kernel lets a process be
/// given.
const MAX_VALUES: usize = 8 << 20;

/// The variables of an env file, in the order in which they first appear. A variable that is set twice has its last
/// value. A value without a name is left out, because no process could ask for it.
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

/// A value as bytes, and the same value as text.
#[derive(Clone, PartialEq, Eq)]
struct Text {
    text: String,
    /// Only present if the bytes are not UTF-8; otherwise `text` holds the same bytes.
    raw: Option<Vec<u8>>,
}

impl EnvFile {
    /// Warnings about single lines, in the order of the file. A line with a warning still sets its variable as
    /// documented.
    pub fn warnings(&self) -> &[EnvFileWarning] {
        &self.warnings
    }

    /// The line on which a variable gets its value, from 1.
    pub fn line_of(&self, key: &[u8]) -> Option<usize> {
        self.find(key).map(|variable| variable.line)
    }

    /// A value as text. Bytes that are not UTF-8 are shown as U+FFFD; [`EnvFile::get_bytes`] returns them unchanged.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.find(key.as_bytes()).map(|variable| variable.value.text.as_str())
    }

    /// A value, byte for byte.
    pub fn get_bytes(&self, key: &[u8]) -> Option<&[u8]> {
        self.find(key).map(|variable| variable.value.bytes())
    }

    /// Names and values in file order, as text. Bytes that are not UTF-8 are shown as U+FFFD.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.variables.iter().map(|variable| (variable.key.text.as_str(), variable.value.text.as_str()))
    }

    /// Names and values in file order, byte for byte.
    pub fn iter_bytes(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> {
        self.variables.iter().map(|variable| (variable.key.bytes(), variable.value.bytes()))
    }

    /// How many variables there are.
    pub fn len(&self) -> usize {
        self.variables.len()
    }

    /// Whether the file sets no variable.
    pub fn is_empty(&self) -> bool {
        self.variables.is_empty()
    }

    /// Adds a variable, or replaces the value of one that is already there.
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

    /// Refuses a value of `len` bytes if all values together would exceed [`MAX_VALUES`]. A small file can grow that
    /// much because a value may name earlier values: `A=xx`, `B=$A$A`, `C=$B$B` double each time.
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
    /// Shows names only, because values may be secrets.
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
