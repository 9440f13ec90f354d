//! A command that runs once beside the instances of an app, without being one of them; and a command at the place of a
//! running instance.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use formation::{AppName, Exit, ProcessType, Slot};

use crate::Release;

/// An order to run a command once.
pub struct OneOff<'a> {
    /// What the app was deployed from last.
    pub release: &'a Release,
    /// What it is called, as an instance would be: `run.4711`. Nothing else of the app has the name.
    pub name: Slot,
    /// What it runs.
    pub command: Command,
    /// Whose settings it has: its user, its limits.
    pub process_type: ProcessType,
    /// Variables that it gets over those of the app.
    pub env: Vec<(String, String)>,
    /// The time after which it is ended.
    pub timeout: Option<Duration>,
    /// From SIGTERM to SIGKILL.
    pub grace: Duration,
    /// Who reads and writes what.
    pub streams: Streams<'a>,
    /// What we are sent meanwhile.
    pub signals: Signals<'a>,
}

/// What a one-off runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The command of a process type.
    OfType,
    /// These words, as they are.
    Words(Vec<String>),
    /// A shell.
    Shell,
}

/// The streams of a one-off.
#[derive(Clone, Copy)]
pub enum Streams<'a> {
    /// It reads from our stdin and writes to our stdout and stderr, and hears of the signals that we get.
    Ours {
        /// Whether it has a terminal, as we have.
        is_terminal: bool,
    },
    /// It reads no input, and its caller does not wait for its end.
    Nobodys {
        /// Called when it has started.
        tell: &'a dyn Fn(),
    },
}

/// The signals that this program gets, for a caller that waits for other events too.
#[derive(Clone, Copy)]
pub struct Signals<'a> {
    /// A socket that becomes readable when one has come.
    pub fd: BorrowedFd<'a>,
    /// Those that have come since the last call, each once.
    pub take: &'a dyn Fn() -> Vec<i32>,
}

/// What became of a one-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It has ended, and nothing of it is left.
    Exit(Exit),
    /// It was told to end because its time was over, and has ended.
    TimedOut,
    /// It runs.
    RunsOn,
}

/// An order to run a command where an instance runs.
pub struct Entry<'a> {
    /// The app.
    pub app: &'a AppName,
    /// The instance.
    pub slot: &'a Slot,
    /// The command; `None`: a shell.
    pub words: Option<&'a [String]>,
    /// Whether it has a terminal, as we have.
    pub is_terminal: bool,
    /// What we are sent meanwhile.
    pub signals: Signals<'a>,
    /// From SIGTERM to SIGKILL.
    pub grace: Duration,
}

/// A shell for people: bash where there is one.
pub const SHELL: &str = "if command -v bash >/dev/null 2>&1; then exec bash; else exec sh; fi";
