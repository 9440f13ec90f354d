//! Messages in the format of pm2: facts with its prefix on stdout, errors on stderr. Colours are used only on
//! terminals.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use anyhow::Result;
use ps_cli::exit::Outcome;
use ps_cli::say::failure;

/// An error in the words of pm2's parser of options, which stand between empty lines.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// `PM2 text` on stdout.
pub(crate) fn fact(text: impl Display) -> io::Result<()> {
    plain(format!("{}{text}", paint("32", "PM2 ", io::stdout().is_terminal())))
}

/// Prints a line to stdout unchanged.
pub(crate) fn plain(text: impl Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// `PM2 [ERROR] text` on stderr.
pub(crate) fn error(text: impl Display) {
    failure(&format!("{}{text}", paint("31", "PM2 [ERROR] ", io::stderr().is_terminal())));
}

/// `PM2 [WARN] text` on stderr.
pub(crate) fn warning(text: impl Display) {
    failure(&format!("{}{text}", paint("33", "PM2 [WARN] ", io::stderr().is_terminal())));
}

/// Text in a colour, by its number, where there is a terminal.
pub(crate) fn paint(colour: &str, text: &str, is_terminal: bool) -> String {
    if is_terminal { format!("\x1b[{colour}m{text}\x1b[39m") } else { text.to_owned() }
}

/// Prints an error in pm2's format, and chooses pm2's exit status, 1. A broken pipe and a help text are not errors, and are left to the
/// caller.
pub(crate) fn conclude(done: Result<Outcome>) -> Result<Outcome> {
    let Err(failed) = done else { return done };
    if is_broken_pipe(&failed) || failed.is::<clap::Error>() {
        return Err(failed);
    }
    if let Some(Usage(text)) = failed.downcast_ref() {
        failure(&format!("\n  error: {text}\n"));
    } else {
        error(format_args!("{failed:#}"));
    }
    Ok(Outcome::No)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind =
        |cause: &(dyn std::error::Error + 'static)| cause.downcast_ref::<io::Error>().map(io::Error::kind);
    error.chain().any(|cause| kind(cause) == Some(io::ErrorKind::BrokenPipe))
}
