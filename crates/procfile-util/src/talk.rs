//! What the program says when it fails: one line per message on stderr, behind ` !     `. The prefix is red on a
//! terminal only, unless `NO_COLOR` or `--no-color` asks for plain text.

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};

use procfile::EditError;

/// Messages that end the program with exit status 1.
#[derive(Debug)]
pub(crate) struct Failure {
    lines: Vec<String>,
    form: Form,
    /// What a person can do about it. It is said at a terminal only, because scripts compare messages byte for byte.
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

    /// One message per line, each behind the prefix, and perhaps a hint for a person at a terminal.
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

    /// As [`Failure::bare`], with a hint.
    pub(crate) fn bare_with_way_out(line: &str, hint: &str) -> anyhow::Error {
        Self { lines: vec![line.to_owned()], form: Form::AsIs, hint: Some(hint.to_owned()) }.into()
    }

    /// Lines that have all that they need, such as the rendered report of a problem.
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

/// Says an error on stderr, with a hint if there is one.
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

/// Says something on stderr, but only if stderr is a terminal.
pub(crate) fn hint(text: &str) {
    if io::stderr().is_terminal() {
        say(&format!("     {text}"));
    }
}

/// An error in words. An error of the operating system without any context comes from standard output: everything else that this
/// program opens is named in its errors.
fn told(error: &anyhow::Error) -> String {
    match error.downcast_ref::<io::Error>() {
        Some(why) => format!("write standard output: {}", words(why)),
        None => format!("{error:#}"),
    }
}

/// Says something on stderr, as it is.
pub(crate) fn say(text: &str) {
    // There is nobody left to tell if stderr is closed.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// A message behind the prefix.
pub(crate) fn prefixed(message: &str, colored: bool) -> String {
    let prefix = if colored { "\x1b[1m\x1b[31m !     \x1b[0m\x1b[0m" } else { " !     " };
    format!("{prefix}{message}")
}

/// Whether stderr may be colored.
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
