//! Writes data to stdout, byte for byte, because commands need not be UTF-8.

use std::io::{self, BufWriter, StdoutLock, Write};

use anyhow::Result;
use procfile::Entry;
use ps_cli::exit::Outcome;
use serde::Serialize;

/// Buffered stdout. The caller must flush it, because an error of the last write would be lost otherwise.
pub(crate) fn stdout() -> BufWriter<StdoutLock<'static>> {
    BufWriter::with_capacity(1 << 16, io::stdout().lock())
}

/// Prints bytes as they are.
pub(crate) fn print(bytes: &[u8]) -> Result<Outcome> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()?;
    Ok(Outcome::Done)
}

/// Prints a value as one line of JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<Outcome> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    print(&line)
}

/// How a command prints what it found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
}

impl Format {
    /// The format that `--format` names.
    pub(crate) fn of(word: &str) -> Result<Self> {
        match word {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => anyhow::bail!("invalid format: {other:?}: use text or json"),
        }
    }
}

/// An entry in JSON. Bytes that are not UTF-8 are shown as U+FFFD.
#[derive(Debug, Serialize)]
pub(crate) struct Row<'a> {
    pub(crate) process_type: &'a str,
    pub(crate) command: String,
    pub(crate) line: usize,
}

impl<'a> Row<'a> {
    /// An entry with the given command in place of its own.
    pub(crate) fn new(entry: &Entry<'a>, command: &[u8]) -> Self {
        let command = String::from_utf8_lossy(command).into_owned();
        Self { process_type: entry.name, command, line: entry.line }
    }
}
