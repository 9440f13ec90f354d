//! Warnings about lines that are legal in a Procfile but that their author probably did not mean. Nothing is refused
//! here.

use std::fmt;

use crate::document::{Entry, Procfile};
use crate::excerpt::{self, Excerpt};
use crate::expand::{self, Piece};
use crate::grammar;
use crate::problem::MAX_PROBLEMS;

/// How much of a variable a message shows, in characters.
const MAX_SHOWN: usize = 60;

/// Something legal that its author probably did not mean, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What it is.
    pub kind: WarningKind,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// The line as text. Of a line over 200 characters, the part around the column is shown, with `…` for what was
    /// cut.
    pub text: String,
    /// The column in `text`, from 1, in characters; at most one behind the end of the text.
    pub caret: usize,
}

/// The kinds of warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WarningKind {
    /// Lines end in CR LF.
    CarriageReturn,
    /// A command ends with a backslash, as if the next line continued it.
    Continuation,
    /// A tab in a command. It stays in the command.
    Tab,
    /// A name that is not a DNS label, which some schedulers refuse.
    NameNoLabel(String),
    /// A name that looks like an option: a line such as `--bind :8000` was probably meant to continue the line above.
    OptionAsName(String),
    /// A misspelt `web` or `release`.
    Misspelt {
        /// The name as written.
        name: String,
        /// The name that was probably meant.
        meant: &'static str,
    },
    /// A variable in single quotes. Dokku expands it, but a shell would not.
    QuotedVariable(String),
    /// A variable with a shell operator, or `$$` and the like. Dokku replaces these by nothing.
    EmptyVariable(String),
    /// `${` without `}`. Dokku removes it.
    UnclosedBrace,
    /// A comment was cut within quotes.
    CutInQuotes,
}

impl WarningKind {
    /// The name of the kind in JSON and in annotations: lower-case words joined by `-`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::CarriageReturn => "carriage-return",
            Self::Continuation => "continuation",
            Self::Tab => "tab",
            Self::NameNoLabel(_) => "name-no-label",
            Self::OptionAsName(_) => "option-as-name",
            Self::Misspelt { .. } => "misspelt-name",
            Self::QuotedVariable(_) => "quoted-variable",
            Self::EmptyVariable(_) => "empty-variable",
            Self::UnclosedBrace => "unclosed-brace",
            Self::CutInQuotes => "cut-in-quotes",
        }
    }

    /// What the author can do about it.
    pub fn advice(&self) -> String {
        match self {
            Self::CarriageReturn => "save the file with LF line ends".to_owned(),
            Self::Continuation => "a command is one line: join it with the next".to_owned(),
            Self::Tab => "the tab is kept as it is: use blanks".to_owned(),
            Self::NameNoLabel(_) => "use lower-case letters, digits, and - inside the name only".to_owned(),
            Self::OptionAsName(_) => {
                "a command is one line: join it with the line above, or begin the name with a letter"
                    .to_owned()
            }
            Self::Misspelt { meant, .. } => format!("did you mean {meant}?"),
            Self::QuotedVariable(name) => {
                format!("a shell would keep {name}: use double quotes if its value is meant")
            }
            Self::EmptyVariable(_) => {
                "set a default in the environment, or let a script of the app work it out".to_owned()
            }
            Self::UnclosedBrace => "close it with }".to_owned(),
            Self::CutInQuotes => {
                "a blank before # or // begins a comment, also within quotes: remove the blank".to_owned()
            }
        }
    }
}

impl fmt::Display for WarningKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CarriageReturn => f.write_str("lines end in CR LF"),
            Self::Continuation => f.write_str("the backslash at the end of the command joins nothing"),
            Self::Tab => f.write_str("a tab"),
            Self::NameNoLabel(name) => write!(f, "{name} is no DNS label, which some schedulers need"),
            Self::OptionAsName(name) => write!(f, "the option {name} is taken for a process type"),
            Self::Misspelt { name, meant } => write!(f, "{name} looks like {meant}, but is not"),
            Self::QuotedVariable(name) => write!(f, "{name} is expanded although it stands in single quotes"),
            Self::EmptyVariable(name) => write!(f, "{name} becomes empty"),
            Self::UnclosedBrace => f.write_str("${ without } is dropped"),
            Self::CutInQuotes => f.write_str("the command was cut within quotes"),
        }
    }
}

impl fmt::Display for Warning {
    /// The warning, then its line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}", self.kind, self.line)
    }
}

impl Procfile {
    /// All warnings, in the order of the lines; at most the first [`MAX_PROBLEMS`].
    pub fn warnings(&self) -> Vec<Warning> {
        let missing = ["web", "release"].into_iter().filter(|name| self.get(name).is_none()).collect();
        let mut found = Found { file: self, missing, warnings: Vec::new() };
        found.line_ends();
        for (entry, name_start, command_start) in self.placed() {
            if found.warnings.len() >= MAX_PROBLEMS {
                break;
            }
            found.name(&entry, name_start);
            found.option(&entry, name_start);
            found.command(&entry, command_start);
            found.tab(&entry, name_start, command_start);
            found.variables(&entry, command_start);
        }
        found.warnings.sort_by_key(|warning| (warning.line, warning.column));
        found.warnings
    }
}

impl Procfile {
    /// The warnings about commands that run differently from how they read: one that is cut by a comment inside
    /// quotes, one that ends with a backslash, and one that is continued by a line that is an entry of its own. These
    /// are shown even if nobody asked for warnings; the others are matters of taste, or depend on who runs the file.
    /// In the order of the lines; at most the first [`MAX_PROBLEMS`].
    pub fn changed_commands(&self) -> Vec<Warning> {
        let mut found = Found { file: self, missing: Vec::new(), warnings: Vec::new() };
        for (entry, name_start, command_start) in self.placed() {
            if found.warnings.len() >= MAX_PROBLEMS {
                break;
            }
            found.option(&entry, name_start);
            found.command(&entry, command_start);
        }
        found.warnings.sort_by_key(|warning| (warning.line, warning.column));
        found.warnings
    }
}

struct Found<'a> {
    file: &'a Procfile,
    /// Well-known process types that the file does not define.
    missing: Vec<&'static str>,
    warnings: Vec<Warning>,
}

impl Found<'_> {
    fn add(&mut self, kind: WarningKind, line: usize, at: usize) {
        let Excerpt { column, text, caret } = excerpt::excerpt(self.file.as_bytes(), at);
        self.warnings.push(Warning { kind, line, column, text, caret });
    }

    fn line_ends(&mut self) {
        let bytes = self.file.as_bytes();
        if let Some(at) = memchr::memmem::find(bytes, b"\r\n") {
            let line = memchr::memchr_iter(b'\n', &bytes[..at]).count() + 1;
            self.add(WarningKind::CarriageReturn, line, at);
        }
    }

    fn name(&mut self, entry: &Entry<'_>, at: usize) {
        let name = entry.name.to_owned();
        if let Some(meant) = self.missing.iter().copied().find(|meant| is_slip(entry.name, meant)) {
            return self.add(WarningKind::Misspelt { name, meant }, entry.line, at);
        }
        if !grammar::is_label(entry.name.as_bytes()) && !is_option(entry.name) {
            self.add(WarningKind::NameNoLabel(name), entry.line, at);
        }
    }

    fn option(&mut self, entry: &Entry<'_>, at: usize) {
        if is_option(entry.name) {
            self.add(WarningKind::OptionAsName(entry.name.to_owned()), entry.line, at);
        }
    }

    fn tab(&mut self, entry: &Entry<'_>, name_start: usize, start: usize) {
        let end = start + entry.command.len();
        if let Some(tab) = memchr::memchr(b'\t', &self.file.as_bytes()[name_start..end]) {
            self.add(WarningKind::Tab, entry.line, name_start + tab);
        }
    }

    fn command(&mut self, entry: &Entry<'_>, start: usize) {
        let bytes = self.file.as_bytes();
        let end = start + entry.command.len();
        if entry.command.ends_with(b"\\") {
            self.add(WarningKind::Continuation, entry.line, end - 1);
        }
        let cut = bytes[end..].first().is_some_and(|next| !matches!(next, b'\n' | b'\r'));
        if cut && Quotes::default().read(entry.command).is_some() {
            self.add(WarningKind::CutInQuotes, entry.line, end);
        }
    }

    fn variables(&mut self, entry: &Entry<'_>, start: usize) {
        let (mut at, mut quotes) = (0, Quotes::default());
        for piece in expand::pieces(entry.command) {
            let written = shortened(piece.written());
            let kind = match piece {
                Piece::Dropped(b"${") => Some(WarningKind::UnclosedBrace),
                Piece::Dropped(_) => Some(WarningKind::EmptyVariable(written)),
                Piece::Variable { name, .. } if !is_plain(name) => Some(WarningKind::EmptyVariable(written)),
                Piece::Variable { .. } if quotes.open == Some(b'\'') => {
                    Some(WarningKind::QuotedVariable(written))
                }
                Piece::Text(_) | Piece::Variable { .. } => None,
            };
            if let Some(kind) = kind.filter(|_| self.warnings.len() < MAX_PROBLEMS) {
                self.add(kind, entry.line, start + at);
            }
            at += piece.written().len();
            quotes.read(piece.written());
        }
    }
}

/// The beginning of a text, for a message.
fn shortened(written: &[u8]) -> String {
    let head = &written[..written.len().min(4 * MAX_SHOWN)];
    let text: String = String::from_utf8_lossy(head).chars().take(MAX_SHOWN).collect();
    if text.len() < written.len() { text + "…" } else { text }
}

/// Whether a name consists only of characters that names of environment variables usually have.
fn is_plain(name: &[u8]) -> bool {
    let letter = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    name.first().is_some_and(letter) && name.iter().all(|byte| letter(byte) || byte.is_ascii_digit())
}

/// Tracks in which kind of quotes a shell would be.
#[derive(Default)]
struct Quotes {
    open: Option<u8>,
    escaped: bool,
}

impl Quotes {
    /// Reads a text, and returns the quote that is open behind it.
    fn read(&mut self, text: &[u8]) -> Option<u8> {
        for byte in text {
            match (self.open, *byte) {
                _ if self.escaped => self.escaped = false,
                (None | Some(b'"'), b'\\') => self.escaped = true,
                (None, b'"' | b'\'') => self.open = Some(*byte),
                (Some(open), byte) if open == byte => self.open = None,
                _ => {}
            }
        }
        self.open
    }
}

/// Whether a name looks like an option of a command.
fn is_option(name: &str) -> bool {
    name.starts_with('-') && name.contains(|c: char| c.is_ascii_alphabetic())
}

/// Whether two names differ only in case or by one typing error (two in a long name).
fn is_slip(name: &str, meant: &str) -> bool {
    let letters = name.bytes().all(|byte| byte.is_ascii_alphabetic());
    if name == meant || !letters || name.len().abs_diff(meant.len()) > 1 {
        return false;
    }
    let lower = name.to_ascii_lowercase();
    strsim::osa_distance(&lower, meant) <= meant.len() / 3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(text: &str) -> Vec<(&'static str, usize, usize)> {
        let file = Procfile::parse(text.as_bytes()).expect("legal");
        file.warnings().iter().map(|w| (w.kind.code(), w.line, w.column)).collect()
    }

    #[test]
    fn what_will_surprise_is_said_with_its_place() {
        for (text, code, line, column) in [
            ("web: a\r\nworker: b\r\n", "carriage-return", 1, 7),
            ("web: a \\\nworker: b\n", "continuation", 1, 8),
            ("web: a\tb\n", "tab", 1, 7),
            ("web: a\nMy_Worker: b\n", "name-no-label", 2, 1),
            ("web: a\n  --bind :8000\n", "option-as-name", 2, 3),
            ("web: a\n-p :80\n", "option-as-name", 2, 1),
            ("wbe: a\n", "misspelt-name", 1, 1),
            ("web: a\n relaese: b\n", "misspelt-name", 2, 2),
            ("web: sh -c 'x $PORT'\n", "quoted-variable", 1, 15),
            ("web: a ${PORT:-80}\n", "empty-variable", 1, 8),
            ("web: a $$\n", "empty-variable", 1, 8),
            ("web: a ${PORT\n", "unclosed-brace", 1, 8),
            ("web: echo \"a # b\"\n", "cut-in-quotes", 1, 13),
        ] {
            assert_eq!(codes(text), [(code, line, column)], "{text:?}");
        }
    }

    #[test]
    fn a_command_that_is_not_what_its_line_says_is_told_unasked() {
        let changed = |text: &str| {
            let file = Procfile::parse(text.as_bytes()).expect("legal");
            file.changed_commands().iter().map(|w| (w.kind.code(), w.line)).collect::<Vec<_>>()
        };
        let text = "a: sh -c \"echo joined #general; sleep 99\"\nb: b \\\nc: sh -c 'x // y'\n";
        assert_eq!(changed(text), [("cut-in-quotes", 1), ("continuation", 2), ("cut-in-quotes", 3)]);
        assert_eq!(changed("web: a\n--bind :8000\n-x: y\n"), [("option-as-name", 2), ("option-as-name", 3)]);
        let ordinary =
            "a: b # a \"comment\"\nb: \"c\" 'd' # it's\nc: http://x/#y \"a#b\"\nMy_D: ${X:-1}\t\"$$\"\n";
        assert_eq!(changed(ordinary), []);
    }

    #[test]
    fn an_ordinary_file_is_silent() {
        let text = "web: bin/serve -p $PORT \"${HOST}\" # it's public\nworker: 'a b' \"it's\"\nweb2: c\ndb-release: d\n";
        assert_eq!(codes(text), []);
    }
}
