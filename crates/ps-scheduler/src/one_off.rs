//! A command that runs once beside the instances of an app, without being one of them; and a command at the place of a
//! running instance.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use formation::{AppName, Exit, ProcessType, Slot};

use crate::Release;

/// An order to run a command once.
pub struct OneOff<'a> {
    /// The release whose image or directory, variables and settings the command gets.
    pub release: &'a Release,
    /// The name of the run, such as `run.4711`. Nothing else of the app has this name.
    pub name: Slot,
    /// The command.
    pub command: Command,
    /// The process type whose settings apply, such as user and limits.
    pub process_type: ProcessType,
    /// Variables that are set in addition to those of the app, and take precedence over them.
    pub env: Vec<(String, String)>,
    /// The time after which it is ended.
    pub timeout: Option<Duration>,
    /// The grace period, from SIGTERM to SIGKILL.
    pub grace: Duration,
    /// What its stdin, stdout and stderr are connected to.
    pub streams: Streams<'a>,
    /// The signals that this program gets while the command runs.
    pub signals: Signals<'a>,
}

/// What a one-off runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The command of a process type.
    OfType,
    /// This program with these arguments.
    Words(Vec<String>),
    /// A shell.
    Shell,
}

/// The streams of a one-off.
#[derive(Clone, Copy)]
pub enum Streams<'a> {
    /// It reads from our stdin and writes to our stdout and stderr, and the signals that we get are passed on to it.
    Ours {
        /// Whether it gets a terminal, because we have one.
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
    /// Returns the signals that have come since the last call, each once.
    pub take: &'a dyn Fn() -> Vec<i32>,
}

/// How a one-off ended, or that it still runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It has ended, and nothing of it is left.
    Exit(Exit),
    /// It exceeded its time limit, was told to end, and has ended.
    TimedOut,
    /// It still runs; its caller does not wait for its end.
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
    /// Whether it gets a terminal, because we have one.
    pub is_terminal: bool,
    /// The signals that this program gets while the command runs.
    pub signals: Signals<'a>,
    /// The grace period, from SIGTERM to SIGKILL.
    pub grace: Duration,
}

/// The command line of a shell for people: bash if it is installed, else sh.
pub const SHELL: &str = "if command -v bash >/dev/null 2>&1; then exec bash; else exec sh; fi";
