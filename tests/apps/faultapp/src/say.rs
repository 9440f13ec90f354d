//! Lines on stdout and stderr, from several threads, whole or not at all.

use std::env;
use std::io::{self, Write};

/// Who speaks: the instance's own name where somebody gave it one.
pub(crate) fn name() -> String {
    env::var("DYNO").unwrap_or_else(|_| "faultapp".to_owned())
}

/// Writes one line to stdout at once.
pub(crate) fn line(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Writes one line about a failure to stderr. Nobody is told where that fails too.
pub(crate) fn complain(text: &str) {
    let nobody_reads = writeln!(io::stderr().lock(), "faultapp: {text}");
    drop(nobody_reads);
}

/// The error that names what was tried, keeping its kind.
pub(crate) fn failed(what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}
