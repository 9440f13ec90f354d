//! Messages for the person at the terminal. On our own all messages go to stderr, and stdout has only data. Inside
//! Dokku the prefixes and streams are those of `docs/contract.md` (Dokku's own `log.go`).

use std::io::{self, Write};

pub use ps_apps::inside_dokku;

use crate::{room, screen};

/// Whether progress messages are suppressed: `DOKKU_QUIET_OUTPUT` is not empty.
pub fn quiet() -> bool {
    ps_apps::variable("DOKKU_QUIET_OUTPUT").is_some()
}

/// `-----> text`: a step begins. Not printed when quiet.
pub fn step(text: &str) -> io::Result<()> {
    unless_quiet(&format!("-----> {text}"))
}

/// `-----> text`, also when quiet, for the steps that Dokku prints in spite of `--quiet`. Outside Dokku the same as [`step`].
pub fn step_always(text: &str) -> io::Result<()> {
    if inside_dokku() { writeln!(io::stdout().lock(), "-----> {text}") } else { step(text) }
}

/// `-----> text` on stderr, inside and outside Dokku: for a program whose stdout carries data at that moment. Not printed when quiet.
pub fn step_aside(text: &str) {
    if !quiet() {
        failure_line(&format!("-----> {text}"));
    }
}

/// `=====> text`: a fact about a change. Not printed when quiet.
pub fn fact(text: &str) -> io::Result<()> {
    unless_quiet(&format!("=====> {text}"))
}

/// Seven blanks, then the text: a detail of a step. Not printed when quiet.
pub fn detail(text: &str) -> io::Result<()> {
    unless_quiet(&format!("       {text}"))
}

/// ` !     text` on stderr: a message that is not a failure.
pub fn warning(text: &str) {
    failure_line(&format!(" !     {text}"));
}

/// The final error of a program, on stderr: with Dokku's prefix inside Dokku, without a prefix elsewhere.
pub fn failure(text: &str) {
    if inside_dokku() { warning(text) } else { failure_line(text) }
}

fn unless_quiet(line: &str) -> io::Result<()> {
    if quiet() {
        return Ok(());
    }
    if inside_dokku() {
        writeln!(io::stdout().lock(), "{line}")
    } else {
        failure_line(line);
        Ok(())
    }
}

fn failure_line(line: &str) {
    // A closed stderr must not stop the work that it is only told about.
    let _ = screen::say(&room::explained(line));
}
