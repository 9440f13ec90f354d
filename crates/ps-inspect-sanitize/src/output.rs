//! Writes the document to stdout after every value in it was judged, and messages to stderr. A closed pipe counts as
//! success.

use std::fmt;
use std::io::{self, BufWriter, Write};

use anyhow::{Context, Result};
use ps_cli::exit::Outcome;
use redact::{Error, Layout, Sanitized, Summary};

/// A sink for text that stores the error that made it fail.
struct Sink<W> {
    out: W,
    failure: Option<io::Error>,
}

impl<W: Write> fmt::Write for Sink<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.out.write_all(text.as_bytes()).map_err(|error| {
            self.failure = Some(error);
            fmt::Error
        })
    }
}

/// Writes the document to stdout.
pub(crate) fn document(safe: &mut Sanitized<'_>, layout: Layout) -> Result<()> {
    let mut sink = Sink { out: BufWriter::with_capacity(64 * 1024, io::stdout().lock()), failure: None };
    match (safe.write(layout, &mut sink), sink.failure) {
        (Err(Error::Sink), Some(failure)) => Err(failure).context("write to standard output"),
        (written, _) => {
            written?;
            sink.out.flush().context("write to standard output")
        }
    }
}

/// Prints `[]`, which Dokku's callers get if there are no containers.
pub(crate) fn nothing() -> Result<Outcome> {
    io::stdout().lock().write_all(b"[]\n").context("write to standard output")?;
    Ok(Outcome::Done)
}

/// Prints where something was masked, and why.
pub(crate) fn explain(summary: &Summary) {
    summary.reasons.iter().for_each(|reason| say(reason));
}

/// Prints the last line: how much was masked, and the advice to review the result, which no filter makes unnecessary.
pub(crate) fn summarise(summary: &Summary) {
    if !ps_cli::say::quiet() {
        say(&format!("ps-inspect-sanitize: {}; review before posting", counts(summary)));
    }
}

/// How many values of each kind were masked.
pub(crate) fn counts(summary: &Summary) -> String {
    let kinds: Vec<String> = summary.counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    if kinds.is_empty() { "nothing masked".to_owned() } else { format!("masked {}", kinds.join(", ")) }
}

fn say(line: &str) {
    // If stderr is closed, the message is dropped.
    let _ = writeln!(io::stderr().lock(), "{line}");
}
