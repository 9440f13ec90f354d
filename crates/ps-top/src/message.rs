//! The messages that the model gets, and the effects that it requests. Everything that the program does goes through
//! these two types.

use formation::AppName;
use jiff::Timestamp;
use ps_journal::Entry;
use ps_rows::StatusRow;
use ratatui::crossterm::event::KeyEvent;

use crate::command::Command;
use crate::subject::Subject;

/// Something has happened.
#[derive(Debug)]
pub(crate) enum Message {
    /// Somebody pressed a key.
    Key(KeyEvent),
    /// The terminal has another size.
    Resized,
    /// The clock.
    Now(Timestamp),
    /// These apps are there, and no others.
    Apps(Vec<AppName>),
    /// A scheduler has answered for an app.
    Answer(Box<Answer>),
    /// A scheduler has not answered for some apps.
    Silent { scheduler: String, apps: Vec<AppName>, reason: String },
    /// Schedulers that were asked, and since how many seconds they have not answered.
    Slow(Vec<(String, u64)>),
    /// The reason why the system does not report every change.
    Shortfall(String),
    /// What the processes with these pids have used since the last time.
    Used(Vec<(u32, Used)>),
    /// The memory of these instances (`shop/web.1`) grows steadily, by so many bytes an hour, as the history of ps-web says.
    Growing(Vec<(String, u64)>),
    /// The journal of an app, from its end.
    Events { app: AppName, entries: Vec<Entry> },
    /// Lines of what is followed; `turn` says since which choice.
    Lines { turn: u64, lines: Vec<Line> },
    /// What was followed ends, or cannot be read.
    LinesEnded { turn: u64, reason: String },
    /// What `ps-explain` says.
    Explained { subject: Subject, text: String },
    /// What a change of scale would do.
    Foreseen { command: Command, text: Vec<String> },
    /// A line that a program has written which was started here.
    Said { deed: usize, line: String },
    /// It has ended; the word says how.
    Ended { deed: usize, how: Result<(), String> },
    /// The program is to end with this status.
    Quit(u8),
    /// The program is to stop, as by Ctrl-Z.
    Suspend,
    /// Somebody else has written to the terminal: everything is to be drawn anew.
    Redraw,
}

/// What a scheduler says of an app.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) app: AppName,
    pub(crate) scheduler: String,
    pub(crate) rows: Vec<StatusRow>,
    pub(crate) troubles: Vec<String>,
}

/// What a process has used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Used {
    /// Of one CPU, since it was last looked at, in percent; `None`: it was never looked at before.
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

/// What the model asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Follow the output and the journal of this.
    Follow { turn: u64, subject: Subject },
    /// Ask `ps-explain`.
    Explain(Subject),
    /// Find out what this change of scale would do: a type, and by how many instances.
    Foresee { app: AppName, process_type: String, by: i32 },
    /// Run a program.
    Do { deed: usize, command: Command },
    /// Stop the program, as Ctrl-Z does.
    Suspend,
    /// End.
    Quit(u8),
}
