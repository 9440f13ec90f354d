//! How a Procfile is read: its delimiter, and whether names must be DNS labels.

/// The delimiter between name and command: literal text, by default `:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delimiter(Vec<u8>);

/// Why a text cannot be a delimiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDelimiter {
    /// The text is empty.
    #[error("delimiter must not be empty")]
    Empty,
}

impl Delimiter {
    /// Takes the text literally; only `\t` (two characters) means a tab.
    pub fn new(text: impl Into<Vec<u8>>) -> Result<Self, InvalidDelimiter> {
        match text.into() {
            empty if empty.is_empty() => Err(InvalidDelimiter::Empty),
            tab if tab == br"\t" => Ok(Self(b"\t".to_vec())),
            text => Ok(Self(text)),
        }
    }

    /// The delimiter as bytes, never empty.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Default for Delimiter {
    fn default() -> Self {
        Self(b":".to_vec())
    }
}

/// How a Procfile is read. The default is what Dokku does: the delimiter `:`, and names made of `[A-Za-z0-9_-]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParseOptions {
    /// The delimiter between name and command.
    pub delimiter: Delimiter,
    /// Whether a name must be a DNS label: lower-case letters, digits, and `-` in between.
    pub strict: bool,
}
