//! The kinds of problem that a Procfile can have, in the words of Dokku's own tool.

/// The kinds of problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// The line is not of the form `name: command`.
    InvalidLine,
    /// With strict names: a name that is not a DNS label.
    InvalidName,
    /// A name of more than 63 bytes.
    NameTooLong,
    /// The name was defined on an earlier line.
    Duplicate {
        /// The line of the first definition, from 1.
        first_line: usize,
    },
    /// The command begins with `#` or `//`.
    CommentAsCommand,
    /// Nothing is left of the command after its comment is cut.
    NoCommand,
    /// A NUL byte.
    InvalidCharacter,
    /// UTF-16: every character has two bytes, one of which is usually NUL.
    Utf16,
    /// A line of more than 1 MiB.
    LineTooLong,
    /// A file of more than 16 MiB.
    FileTooLarge,
    /// More than 1,000,000 process types.
    TooManyTypes,
    /// There is no entry in the whole file.
    NoEntries,
}

impl ProblemKind {
    /// The problem in the words of Dokku's tool, without the line.
    pub fn words(self) -> &'static str {
        match self {
            Self::InvalidLine => "invalid line in procfile",
            Self::InvalidName => "process name contains invalid characters",
            Self::NameTooLong => "process name over 63 characters",
            Self::Duplicate { .. } => "process names must be unique",
            Self::CommentAsCommand => "comment specified in place of command",
            Self::NoCommand => "no command specified",
            Self::InvalidCharacter | Self::Utf16 => "invalid character in procfile",
            Self::LineTooLong => "line is too long",
            Self::FileTooLarge => "procfile is too large: over 16 MiB",
            Self::TooManyTypes => "too many process types: over 1,000,000",
            Self::NoEntries => "no entries found in Procfile",
        }
    }

    /// The name of the kind in JSON and in annotations: lower-case words joined by `-`.
    pub fn code(self) -> &'static str {
        match self {
            Self::InvalidLine => "invalid-line",
            Self::InvalidName => "invalid-name",
            Self::NameTooLong => "name-too-long",
            Self::Duplicate { .. } => "duplicate-name",
            Self::CommentAsCommand => "comment-as-command",
            Self::NoCommand => "no-command",
            Self::InvalidCharacter => "invalid-character",
            Self::Utf16 => "utf-16",
            Self::LineTooLong => "line-too-long",
            Self::FileTooLarge => "file-too-large",
            Self::TooManyTypes => "too-many-types",
            Self::NoEntries => "no-entries",
        }
    }
}
