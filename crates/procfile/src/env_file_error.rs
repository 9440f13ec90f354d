//! Errors in an env file, and warnings about it. The messages name lines and variables and quote no value.

use std::fmt;
use std::path::Path;

/// The longest name that is shown, in characters. A longer one is more likely a piece of a secret than a name.
const MAX_SHOWN: usize = 60;

/// Why a text is not a valid env file. Lines count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvFileError {
    /// A character that no name may have. A name may hold letters, digits, `_ . - [ ]` and bytes beyond ASCII; in
    /// Dokku's grammar it may hold blanks, but no `-`.
    #[error("line {line}: unexpected character {character:?} in variable name")]
    UnexpectedCharacter {
        /// The line, from 1.
        line: usize,
        /// The character, as it is written.
        character: char,
    },
    /// The separator has no name before it.
    #[error("line {line}: variable name missing")]
    MissingName {
        /// The line, from 1.
        line: usize,
    },
    /// The closing quote is missing.
    #[error("line {line}: unterminated quoted value")]
    Unterminated {
        /// The line on which the quote was opened, from 1.
        line: usize,
    },
    /// A closing quote is followed by text that is neither a comment nor another variable.
    #[error("line {line}: only a comment may follow a closing quote")]
    AfterQuote {
        /// The line, from 1.
        line: usize,
    },
    /// A `${` has no `}`, or contains an operator that is not known.
    #[error(
        "line {line}: {name} has a ${{ that cannot be read: write it between single quotes if it is text"
    )]
    BadReference {
        /// The line, from 1.
        line: usize,
        /// The variable in whose value this stands.
        name: String,
    },
    /// `${NAME:?message}`, and nothing defines the name.
    #[error("line {line}: {name} needs {wanted}, which is not set")]
    Required {
        /// The line, from 1.
        line: usize,
        /// The variable in whose value this stands.
        name: String,
        /// The text behind `:?`, which says what is missing.
        wanted: String,
    },
    /// A NUL byte, which no environment variable can hold.
    #[error("line {line}: {name} has a NUL byte, which no variable can hold")]
    Nul {
        /// The line, from 1.
        line: usize,
        /// The variable in whose value this stands.
        name: String,
    },
    /// The values refer to each other and have grown beyond what any process could be given.
    #[error("line {line}: with {name} the values are larger than 8 MiB")]
    TooLarge {
        /// The line, from 1.
        line: usize,
        /// The variable whose value exceeds the limit.
        name: String,
    },
    /// The text is UTF-16.
    #[error("the file is UTF-16: save it as UTF-8")]
    Utf16,
}

impl EnvFileError {
    /// The same message with the name of the file before it: `.env, line 3: …`.
    #[must_use]
    pub fn in_file(&self, path: &Path) -> String {
        let path = path.display();
        match self {
            Self::Utf16 => format!("{path}: {self}"),
            _ => format!("{path}, {self}"),
        }
    }

    /// A name as a message may show it. A text that could be a piece of a secret is replaced.
    pub(crate) fn shown(name: &[u8]) -> String {
        if name.len() > MAX_SHOWN {
            "a variable".to_owned()
        } else {
            String::from_utf8_lossy(name).into_owned()
        }
    }
}

/// A warning about one line of an env file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvFileWarning {
    /// The line, from 1.
    pub line: usize,
    /// The variable that the line sets.
    pub name: String,
    /// What is unusual about it.
    pub oddity: Oddity,
}

/// What can be unusual about a line. The variable has a value all the same, except after `NoValue`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oddity {
    /// The value refers to a variable that nothing defines; the reference stays as text.
    Undefined,
    /// There is a name without a separator, so there is no value.
    NoValue,
    /// The value begins with `#` and a blank right behind the separator, like a comment.
    LikeAComment,
    /// Only in Dokku's grammar: the value contains what looks like a comment.
    CommentInValue,
    /// Only in Dokku's grammar: the value refers to a variable that nothing defines, and the reference is removed.
    Deleted,
}

impl EnvFileWarning {
    pub(crate) fn new(line: usize, name: &[u8], oddity: Oddity) -> Self {
        let upper = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
        // A line without a separator may be a line of a private key. Only a name in capital letters is shown.
        let is_hidden = oddity == Oddity::NoValue && (name.len() > 40 || !name.iter().all(upper));
        let name = if is_hidden { "it".to_owned() } else { EnvFileError::shown(name) };
        Self { line, name, oddity }
    }
}

impl fmt::Display for EnvFileWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, name, oddity } = self;
        let what = match oddity {
            Oddity::Undefined => {
                "has a $ in front of a name that nothing defines, and it stays as it is: put single quotes around a value that is text"
            }
            Oddity::NoValue => "has no = and gives no value",
            Oddity::LikeAComment => {
                "begins with #: a comment needs a blank in front of it, a value quotes around it"
            }
            Oddity::CommentInValue => "has a # in its value, as Dokku reads it: put quotes around the value",
            Oddity::Deleted => {
                "names a variable that nothing defines, and that text is gone, as Dokku reads it: write \\$ for a $"
            }
        };
        write!(f, "line {line}: {name} {what}")
    }
}
