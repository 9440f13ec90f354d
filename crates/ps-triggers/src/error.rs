//! Why a trigger failed, split by who must act.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// A trigger that could not be called, or a hook that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Us: a word that cannot be a trigger's name.
    #[error("{0:?} is not a trigger name: it must be one file name")]
    NotATrigger(String),
    /// The hook's author: it ended with another status than 0. The hooks after it were not run.
    #[error("{}: trigger {trigger} {}{}", hook.display(), how(*status), said(stderr))]
    Failed {
        /// The trigger.
        trigger: String,
        /// The hook, or plugn where plugn ran it.
        hook: PathBuf,
        /// Its exit status; 128 + n if signal n ended it.
        status: u8,
        /// What it said on stderr, if that was captured; trimmed.
        stderr: String,
    },
    /// The hook's author: it was still running when its time was over, and has been ended.
    #[error("{}: trigger {trigger} did not end within {} s and was stopped", hook.display(), limit.as_secs_f32())]
    TimedOut {
        /// The trigger.
        trigger: String,
        /// The hook, or plugn where plugn ran it.
        hook: PathBuf,
        /// The time it had.
        limit: Duration,
    },
    /// The operator: the system refused. It says why itself, so the reason is no `source`: nobody reads it twice.
    #[error("{action} {}: {reason}", path.display())]
    Io {
        /// What was being done: `read`, `run`.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
}

impl Error {
    /// The exit status that plugn would have ended with: the hook's own, else 1.
    pub fn status(&self) -> u8 {
        match self {
            Self::Failed { status, .. } => *status,
            _ => 1,
        }
    }

    /// Whether a hook ended by itself. It could then say why on stderr, and need not be quoted once more.
    pub fn has_spoken(&self) -> bool {
        matches!(self, Self::Failed { status, .. } if *status <= 128)
    }

    /// What the hooks said on stderr, if that was kept (see `Triggers::with_kept_stderr`); else empty.
    pub fn words(&self) -> &str {
        match self {
            Self::Failed { stderr, .. } => stderr,
            _ => "",
        }
    }
}

/// One line that says how a trigger failed, and which plugins the hook may belong to.
pub(crate) fn told(trigger: &str, status: u8, plugins: &[String]) -> String {
    let whose = match plugins {
        [] => String::new(),
        [plugin] => format!(": the hook of plugin {plugin}"),
        plugins => format!(": a hook of one of the plugins {}", plugins.join(", ")),
    };
    format!("trigger {trigger} {}{whose}", how(status))
}

fn how(status: u8) -> String {
    match status.checked_sub(128) {
        Some(signal @ 1..=64) => format!("was ended by signal {signal} (exit status {status})"),
        _ => format!("failed with exit status {status}"),
    }
}

fn said(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!(": {stderr}") }
}
