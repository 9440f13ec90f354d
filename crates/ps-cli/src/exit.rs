//! The only place that prints a final error and chooses an exit status. The numbers are public API:
//! docs/contract.md lists them, and the tests of every program assert them.

mod reader;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use ps_apps::Error as AppsError;
use ps_dokku::{Error as DokkuError, TriggerFailed};

use crate::say;

pub use reader::end_with_reader;

/// Done, or the answer is yes.
pub const DONE: u8 = 0;
/// Failed, or the answer is no.
pub const FAILED: u8 = 1;
/// Wrong usage: flags and missing arguments.
pub const USAGE: u8 = 2;
/// No such app (Dokku's number).
pub const NO_SUCH_APP: u8 = 20;
/// Somebody else holds the lock: try again.
pub const BUSY: u8 = 75;
/// The retire lock is held (Dokku's systemd unit expects this number).
pub const RETIRING: u8 = 137;

/// The context of an error that stdout could not be written.
const WRITE_STDOUT: &str = "write to standard output";

/// How a program without an error ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done, or yes: 0.
    Done,
    /// The answer is no, and nothing is printed: 1.
    No,
    /// Any other status, for example 128 + n of a child that signal n ended.
    Status(u8),
}

/// An error whose exit status is not [`FAILED`], or whose text must be printed unchanged.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The exit status.
    pub status: u8,
    /// What was wrong, with what, and what to do.
    pub message: String,
}

impl Refusal {
    /// Wrong usage: exit status 2 (inside Dokku 1, with Dokku's own message).
    pub fn usage(message: impl Into<String>) -> anyhow::Error {
        Self { status: USAGE, message: message.into() }.into()
    }

    /// A failure whose message is Dokku's own and is printed alone on the line.
    pub fn failed(message: impl Into<String>) -> anyhow::Error {
        Self { status: FAILED, message: message.into() }.into()
    }
}

/// Runs a program and turns its result into an exit status and, if it failed, a message on stderr. A broken
/// pipe counts as success: 0. A clap error is printed as clap does it.
pub fn run(name: &str, program: impl FnOnce() -> anyhow::Result<Outcome>) -> ExitCode {
    let status = match program() {
        Ok(outcome) => of_outcome(outcome),
        Err(error) => report(name, &error),
    };
    ExitCode::from(status)
}

/// As [`run`], for a program that only other programs start: clap is not used, so there are no errors of clap to print.
pub fn run_plainly(name: &str, program: impl FnOnce() -> anyhow::Result<Outcome>) -> ExitCode {
    let status = match program() {
        Ok(outcome) => of_outcome(outcome),
        Err(error) => {
            say::failure(&format!("{name}: {error:#}"));
            error.downcast_ref::<Refusal>().map_or(FAILED, |refusal| refusal.status)
        }
    };
    ExitCode::from(status)
}

/// The exit status that [`run`] chooses for this result.
pub fn status(result: &anyhow::Result<Outcome>) -> u8 {
    match result {
        Ok(outcome) => of_outcome(*outcome),
        Err(error) => match error.downcast_ref::<clap::Error>() {
            Some(usage) if usage.use_stderr() => USAGE,
            Some(_) => DONE,
            None if is_broken_pipe(error) => DONE,
            None => status_of(error),
        },
    }
}

fn of_outcome(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Done => DONE,
        Outcome::No => FAILED,
        Outcome::Status(status) => status,
    }
}

/// The arguments of this process, for programs that must look at them before clap does.
pub fn arguments() -> Vec<OsString> {
    std::env::args_os().collect()
}

fn report(name: &str, error: &anyhow::Error) -> u8 {
    if let Some(usage) = error.downcast_ref::<clap::Error>() {
        return report_usage(name, usage);
    }
    if is_broken_pipe(error) {
        return DONE;
    }
    let text = match trigger_failed(error) {
        Some(failed) => {
            if !failed.said().is_empty() {
                say::warning(failed.said());
            }
            failed.last_word()
        }
        None if say::inside_dokku() => dokku_words(error),
        None => match unwritten(error) {
            Some(full) => format!("{name}: {WRITE_STDOUT}: {full}"),
            None => format!("{name}: {error:#}"),
        },
    };
    for line in text.lines() {
        say::failure(line);
    }
    status_of(error)
}

fn report_usage(name: &str, usage: &clap::Error) -> u8 {
    let printed = usage.print();
    if usage.use_stderr() {
        return USAGE;
    }
    match printed.and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            say::failure(&format!("{name}: {WRITE_STDOUT}: {error}"));
            FAILED
        }
        _ => DONE,
    }
}

fn status_of(error: &anyhow::Error) -> u8 {
    if let Some(refusal) = error.downcast_ref::<Refusal>() {
        return refusal.status;
    }
    if let Some(failed) = trigger_failed(error) {
        return failed.status();
    }
    match (apps_error(error), dokku_error(error)) {
        (Some(AppsError::NoSuchApp { .. }), _) => NO_SUCH_APP,
        (Some(AppsError::Busy { .. }), _) | (_, Some(DokkuError::Deploying { .. })) => BUSY,
        _ => FAILED,
    }
}

/// The failed hook, if a trigger was called as Dokku calls it. Its exit status becomes ours, and its output is our error
/// message.
fn trigger_failed(error: &anyhow::Error) -> Option<&TriggerFailed> {
    match dokku_error(error) {
        Some(DokkuError::Trigger(failed)) => Some(failed),
        _ => None,
    }
}

fn dokku_error(error: &anyhow::Error) -> Option<&DokkuError> {
    error.chain().find_map(|cause| cause.downcast_ref())
}

fn apps_error(error: &anyhow::Error) -> Option<&AppsError> {
    let inside = || match dokku_error(error) {
        Some(DokkuError::Apps(error)) => Some(error),
        _ => None,
    };
    error.chain().find_map(|cause| cause.downcast_ref()).or_else(inside)
}

/// The message of an error inside Dokku: Dokku's own sentence if there is one, else ours.
fn dokku_words(error: &anyhow::Error) -> String {
    apps_error(error).and_then(ps_dokku::words::of_apps).unwrap_or_else(|| format!("{error:#}"))
}

/// The error of a full disk, if it stands alone. An error about a file has the file's name as context, so an error without
/// context is one of stdout.
fn unwritten(error: &anyhow::Error) -> Option<&io::Error> {
    error
        .downcast_ref::<io::Error>()
        .filter(|cause| cause.kind() == io::ErrorKind::StorageFull && error.to_string() == cause.to_string())
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        io == Some(io::ErrorKind::BrokenPipe)
    })
}
