//! The messages that the model gets, and the effects that it requests. All activity of the program goes through these two
//! types.

use formation::AppName;
use jiff::Timestamp;
use ps_journal::Entry;
use ps_rows::StatusRow;
use ratatui::crossterm::event::KeyEvent;

use crate::command::Command;
use crate::subject::Subject;

/// An event.
#[derive(Debug)]
pub(crate) enum Message {
    /// A key was pressed.
    Key(KeyEvent),
    /// The size of the terminal has changed.
    Resized,
    /// The time of the clock.
    Now(Timestamp),
    /// The apps that exist now.
    Apps(Vec<AppName>),
    /// A scheduler has answered for an app.
    Answer(Box<Answer>),
    /// A scheduler has not answered for some apps.
    Silent { scheduler: String, apps: Vec<AppName>, reason: String },
    /// The schedulers that were asked and have not answered, and for how many seconds.
    Slow(Vec<(String, u64)>),
    /// The reason why the system does not report every change.
    Shortfall(String),
    /// The usage of the processes with these pids since the last measurement.
    Used(Vec<(u32, Used)>),
    /// The instances (`shop/web.1`) whose memory grows steadily, by this many bytes an hour, from the history of ps-web.
    Growing(Vec<(String, u64)>),
    /// The journal of an app, from its end.
    Events { app: AppName, entries: Vec<Entry> },
    /// Lines of the followed instances; `turn` is the number of the selection.
    Lines { turn: u64, lines: Vec<Line> },
    /// The followed output has ended, or cannot be read.
    LinesEnded { turn: u64, reason: String },
    /// The answer of `ps-explain`.
    Explained { subject: Subject, text: String },
    /// The forecast of a change of scale.
    Foreseen { command: Command, text: Vec<String> },
    /// A line of the output of a program that was started from here.
    Said { deed: usize, line: String },
    /// That program has ended; `how` is the result.
    Ended { deed: usize, how: Result<(), String> },
    /// This program has to end with this status.
    Quit(u8),
    /// This program has to stop, as by Ctrl-Z.
    Suspend,
    /// Another program has written to the terminal, so everything has to be drawn again.
    Redraw,
}

/// The answer of a scheduler about an app.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) app: AppName,
    pub(crate) scheduler: String,
    pub(crate) rows: Vec<StatusRow>,
    pub(crate) troubles: Vec<String>,
}

/// The usage of a process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Used {
    /// In percent of one CPU, since the last measurement; `None` at the first one.
    pub(crate) cpu_percent: Option<f64>,
    /// Resident memory in bytes.
    pub(crate) memory_bytes: u64,
}

/// A line that an instance wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) at: Option<Timestamp>,
    pub(crate) slot: String,
    pub(crate) is_err: bool,
    pub(crate) text: String,
}

/// The requests of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Follow the output and the journal of this selection.
    Follow { turn: u64, subject: Subject },
    /// Ask `ps-explain`.
    Explain(Subject),
    /// Forecast this change of scale: a type, and the difference of its instances.
    Foresee { app: AppName, process_type: String, by: i32 },
    /// Run a program.
    Do { deed: usize, command: Command },
    /// Stop the program, as Ctrl-Z does.
    Suspend,
    /// End the program.
    Quit(u8),
}
