//! What can be wrong or odd about an env file. A text names lines and variables and quotes no value.

use std::fmt;
use std::path::Path;

/// Names longer than this are not shown: such a name is more likely to be a piece of a secret than a name.
const MAX_SHOWN: usize = 60;

/// Why a text is no env file. Lines count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvFileError {
    /// A name may hold letters, digits, `_ . - [ ]` and bytes beyond ASCII; in Dokku's grammar no `-`, but blanks.
    #[error("line {line}: unexpected character {character:?} in variable name")]
    UnexpectedCharacter {
        /// The line, from 1.
        line: usize,
        /// The name as it is written.
        character: char,
    },
    /// There is no name before the separator.
    #[error("line {line}: variable name missing")]
    MissingName {
        /// The line, from 1.
        line: usize,
    },
    /// No closing quote before the end of the file.
    #[error("line {line}: unterminated quoted value")]
    Unterminated {
        /// The line on which the quote was opened, from 1.
        line: usize,
    },
    /// Text behind a closing quote that is neither a comment nor another variable.
    #[error("line {line}: only a comment may follow a closing quote")]
    AfterQuote {
        /// The line, from 1.
        line: usize,
    },
    /// `${` without its `}`, or with something in it that is no form we know.
    #[error(
        "line {line}: {name} has a ${{ that cannot be read: write it between single quotes if it is text"
    )]
    BadReference {
        /// The line, from 1.
        line: usize,
        /// The variable in whose value it stands.
        name: String,
    },
    /// `${NAME:?…}` of a name that nothing defines.
    #[error("line {line}: {name} needs {wanted}, which is not set")]
    Required {
        /// The line, from 1.
        line: usize,
        /// The variable in whose value it stands.
        name: String,
        /// The text behind `:?`, which says what is missing.
        wanted: String,
    },
    /// A NUL byte: no variable can hold one.
    #[error("line {line}: {name} has a NUL byte, which no variable can hold")]
    Nul {
        /// The line, from 1.
        line: usize,
        /// The variable in whose value it stands.
        name: String,
    },
    /// References that grow beyond what any process could be given.
    #[error("line {line}: with {name} the values are larger than 8 MiB")]
    TooLarge {
        /// The line, from 1.
        line: usize,
        /// The variable in whose value it stands.
        name: String,
    },
    /// The text is UTF-16.
    #[error("the file is UTF-16: save it as UTF-8")]
    Utf16,
}

impl EnvFileError {
    /// The same with the file in front: `.env, line 3: …`.
    #[must_use]
    pub fn in_file(&self, path: &Path) -> String {
        let path = path.display();
        match self {
            Self::Utf16 => format!("{path}: {self}"),
            _ => format!("{path}, {self}"),
        }
    }

    /// A name as it may be shown. A text that could be a piece of a secret is not shown.
    pub(crate) fn shown(name: &[u8]) -> String {
        if name.len() > MAX_SHOWN {
            "a variable".to_owned()
        } else {
            String::from_utf8_lossy(name).into_owned()
        }
    }
}

/// Something odd about a line of an env file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvFileWarning {
    /// The line, from 1.
    pub line: usize,
    /// The variable whose value it is.
    pub name: String,
    /// What is odd about it.
    pub oddity: Oddity,
}

/// What can be odd about a line; the variable has its value all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oddity {
    /// The value names a variable that nothing defines; its text stays.
    Undefined,
    /// A name without a separator: it gives no value.
    NoValue,
    /// The value begins with `#` and a blank, right behind the separator.
    LikeAComment,
    /// Dokku's grammar: what looks like a comment is in the value.
    CommentInValue,
    /// Dokku's grammar: the value names a variable that nothing defines, and lost that text.
    Deleted,
}

impl EnvFileWarning {
    pub(crate) fn new(line: usize, name: &[u8], oddity: Oddity) -> Self {
        let upper = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
        // A line without separator may be a line of a key: only what is written like a name is shown.
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
                "has a $ in front of a name that nothing defines, and it stays as it is: single quotes say so"
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
