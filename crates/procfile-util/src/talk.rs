//! What the program says when it fails: one line per message on stderr, behind ` !     `. The prefix is red on a
//! terminal only, unless `NO_COLOR` or `--no-color` asks for plain text.

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};

/// Messages that end the program with exit status 1.
#[derive(Debug)]
pub(crate) struct Failure {
    lines: Vec<String>,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Prefixed,
    AsIs,
}

impl Failure {
    /// One message per line, each behind the prefix.
    pub(crate) fn lines(lines: Vec<String>) -> anyhow::Error {
        Self { lines, form: Form::Prefixed }.into()
    }

    /// A message without the prefix, as the original prints a few of export's.
    pub(crate) fn bare(line: impl Into<String>) -> anyhow::Error {
        Self { lines: vec![line.into()], form: Form::AsIs }.into()
    }

    /// Text that is complete as it is.
    pub(crate) fn shown(lines: Vec<String>) -> anyhow::Error {
        Self { lines, form: Form::AsIs }.into()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("\n"))
    }
}

impl std::error::Error for Failure {}

/// Says an error.
pub(crate) fn failure(error: &anyhow::Error) {
    let colored = colored();
    match error.downcast_ref::<Failure>() {
        Some(failure) if failure.form == Form::AsIs => say(&failure.to_string()),
        Some(failure) => failure.lines.iter().for_each(|line| say(&prefixed(line, colored))),
        None => say(&prefixed(&format!("{error:#}"), colored)),
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
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !no_color && !std::env::args_os().any(|arg| arg == "--no-color") && io::stderr().is_terminal()
}
