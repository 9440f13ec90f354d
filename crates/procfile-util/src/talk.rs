//! The messages of a failure: one per line on stderr, each behind ` !     `. The prefix is red on a terminal, unless
//! `NO_COLOR` or `--no-color` asks for plain text.

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};

use procfile::EditError;

/// Messages that end the program with exit status 1.
#[derive(Debug)]
pub(crate) struct Failure {
    lines: Vec<String>,
    form: Form,
    /// What a person can do about it. It is printed only at a terminal, because scripts compare messages byte for
    /// byte.
    hint: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Prefixed,
    AsIs,
}

impl Failure {
    /// One message per line, each behind the prefix.
    pub(crate) fn lines(lines: Vec<String>) -> anyhow::Error {
        Self::hinted(lines, None)
    }

    /// One message per line, each behind the prefix, and possibly a hint for a person at a terminal.
    pub(crate) fn hinted(lines: Vec<String>, hint: Option<String>) -> anyhow::Error {
        Self { lines, form: Form::Prefixed, hint }.into()
    }

    /// One message behind the prefix, and a hint.
    pub(crate) fn with_way_out(line: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
        Self::hinted(vec![line.into()], Some(hint.into()))
    }

    /// A message without the prefix. The original prints some messages of `export` in this way.
    pub(crate) fn bare(line: impl Into<String>) -> anyhow::Error {
        Self { lines: vec![line.into()], form: Form::AsIs, hint: None }.into()
    }

    /// Like [`Failure::bare`], with a hint.
    pub(crate) fn bare_with_way_out(line: &str, hint: &str) -> anyhow::Error {
        Self { lines: vec![line.to_owned()], form: Form::AsIs, hint: Some(hint.to_owned()) }.into()
    }

    /// Lines that are printed as they are, such as the rendered report of a problem.
    pub(crate) fn shown(lines: Vec<String>) -> anyhow::Error {
        Self { lines, form: Form::AsIs, hint: None }.into()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("\n"))
    }
}

impl std::error::Error for Failure {}

/// Prints an error on stderr, with its hint if it has one.
pub(crate) fn failure(error: &anyhow::Error) {
    let colored = colored();
    match error.downcast_ref::<Failure>() {
        Some(failure) if failure.form == Form::AsIs => say(&failure.to_string()),
        Some(failure) => failure.lines.iter().for_each(|line| say(&prefixed(line, colored))),
        None => say(&prefixed(&told(error), colored)),
    }
    if let Some(way_out) = error.downcast_ref::<Failure>().and_then(|failure| failure.hint.as_ref()) {
        hint(way_out);
    }
    if let Some(EditError::InvalidName(_)) = error.downcast_ref() {
        hint("a name is letters, digits, - and _, 63 at most; with --strict a DNS label");
    }
}

/// Prints a line on stderr, but only if stderr is a terminal.
pub(crate) fn hint(text: &str) {
    if io::stderr().is_terminal() {
        say(&format!("     {text}"));
    }
}

/// The text of an error. An error of the operating system without a context can only come from standard output,
/// because errors of everything else that this program opens name the file.
fn told(error: &anyhow::Error) -> String {
    match error.downcast_ref::<io::Error>() {
        Some(why) => format!("write standard output: {}", words(why)),
        None => format!("{error:#}"),
    }
}

/// Prints a line on stderr unchanged.
pub(crate) fn say(text: &str) {
    // If stderr is closed, nobody can read the message.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// A message behind the prefix.
pub(crate) fn prefixed(message: &str, colored: bool) -> String {
    let prefix = if colored { "\x1b[1m\x1b[31m !     \x1b[0m\x1b[0m" } else { " !     " };
    format!("{prefix}{message}")
}

/// Whether stderr may be coloured.
pub(crate) fn colored() -> bool {
    let no_color = ps_apps::variable("NO_COLOR").is_some();
    !no_color && !std::env::args_os().any(|arg| arg == "--no-color") && io::stderr().is_terminal()
}

/// An error of the operating system in the words of the original: in lower case, without the number.
pub(crate) fn words(error: &io::Error) -> String {
    let text = if error.raw_os_error().is_some() { error.to_string() } else { error.kind().to_string() };
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}
