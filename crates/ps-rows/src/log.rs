//! The row of `logs`.

use jiff::Timestamp;
use ps_scheduler::LogLine;
use serde::Serialize;

/// One line that a process wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogRow<'a> {
    /// The app.
    pub app: &'a str,
    /// The process type of the instance that wrote the line.
    pub process_type: &'a str,
    /// The number of the instance, from 1.
    pub index: u16,
    /// The number of the run that began the log, or null.
    pub run: Option<u64>,
    /// When it was captured (RFC 3339, UTC), or null.
    pub at: Option<Timestamp>,
    /// `stdout` or `stderr`.
    pub stream: &'static str,
    /// The line, without its line end; bytes that are not UTF-8 are replaced by U+FFFD.
    pub line: String,
}

impl<'a> LogRow<'a> {
    /// The row of a line that an app's process wrote.
    pub fn of(app: &'a str, line: &'a LogLine) -> Self {
        Self {
            app,
            process_type: line.slot.process_type.as_str(),
            index: line.slot.index,
            run: line.run,
            at: line.at.and_then(|at| Timestamp::try_from(at).ok()),
            stream: line.stream.as_str(),
            line: String::from_utf8_lossy(&line.bytes).into_owned(),
        }
    }
}
