//! The output of instances: which lines are requested, and how they are returned.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::SystemTime;

use formation::{AppName, Slot, Stream, Which};
use log_store::Skim;

/// Which output of an app is wanted, and in which form.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a wish of its own")]
pub struct LogRequest {
    /// The app.
    pub app: AppName,
    /// Which of its instances.
    pub which: Which,
    /// Which of the streams; `None`: both.
    pub stream: Option<Stream>,
    /// Only lines that were written at that time or later, as far as times are known.
    pub since: Option<SystemTime>,
    /// Only lines that had been written by then, as far as times are known.
    pub until: Option<SystemTime>,
    /// Only what was written before the present run of each instance began.
    pub is_previous: bool,
    /// Only what comes after this position.
    pub after: Option<ReadUpTo>,
    /// How many of the last lines of that range, of each stream of each instance; `None`: all.
    pub tail: Option<usize>,
    /// Which lines the caller skips anyway, so that they need not be passed on.
    pub skim: Option<Skim>,
    /// Whether to wait for new lines and pass them on.
    pub follow: bool,
    /// Whether the lines of all instances are ordered by time; if not, the instances come one after the other.
    pub is_by_time: bool,
    /// Whether the beginning of a line is passed on before its end was written.
    pub has_begun: bool,
}

impl LogRequest {
    /// The last `tail` lines of these instances, or all that are kept, without following.
    pub fn last(app: AppName, which: Which, tail: Option<usize>) -> Self {
        Self {
            app,
            which,
            stream: None,
            since: None,
            until: None,
            is_previous: false,
            after: None,
            tail,
            skim: None,
            follow: false,
            is_by_time: false,
            has_begun: false,
        }
    }

    /// Whether new lines are returned from `now` on; false after the end of the range.
    pub fn follows(&self, now: SystemTime) -> bool {
        self.follow && !self.is_previous && self.until.is_none_or(|until| until > now)
    }
}

/// One line of output, without its line end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// The slot that wrote it.
    pub slot: Slot,
    /// The run with which the log that contains this line began. If a process ended by itself, the next run of the slot
    /// continues the same log. `None`: unknown.
    pub run: Option<u64>,
    /// The stream.
    pub stream: Stream,
    /// When it was captured. `None`: unknown.
    pub at: Option<SystemTime>,
    /// The bytes, as written.
    pub bytes: Vec<u8>,
    /// How many of these bytes were passed on before, as the beginning of the line.
    pub shown: usize,
    /// Whether the end of the line was not written yet.
    pub is_begun: bool,
}

/// The position up to which the output of an app was read, in a form that its scheduler understands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadUpTo(pub BTreeMap<String, String>);

/// The receiver of lines. It returns `Break` when it wants no more. A closure is a receiver that wants only lines.
pub trait LogSink {
    /// A line.
    fn line(&mut self, line: &LogLine) -> ControlFlow<()>;

    /// Every line that exists so far has been passed on, up to the position `read`. While the logs are followed, this is called again after each
    /// batch of lines.
    fn caught_up(&mut self, read: &ReadUpTo) -> ControlFlow<()> {
        let _ = read;
        ControlFlow::Continue(())
    }
}

impl<F: FnMut(&LogLine) -> ControlFlow<()>> LogSink for F {
    fn line(&mut self, line: &LogLine) -> ControlFlow<()> {
        self(line)
    }
}
