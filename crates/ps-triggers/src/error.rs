//! Why a trigger failed, one variant for each person who must act.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// A trigger that could not be called, or one of whose hooks failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// For us: a word that cannot be the name of a trigger.
    #[error("{0:?} is not a trigger name: it must be one file name")]
    NotATrigger(String),
    /// For the author of the hook: it ended with another status than 0. The hooks after it were not run.
    #[error("{}: trigger {trigger} {}{}", hook.display(), how(*status), said(stderr))]
    Failed {
        /// The trigger.
        trigger: String,
        /// The hook, or plugn if plugn ran it.
        hook: PathBuf,
        /// Its exit status; 128 + n if signal n ended it.
        status: u8,
        /// What it wrote to stderr, without white space at the ends, if that was captured.
        stderr: String,
    },
    /// For the author of the hook: it was still running at its deadline, and was ended.
    #[error("{}: trigger {trigger} did not end within {} s and was stopped", hook.display(), limit.as_secs_f32())]
    TimedOut {
        /// The trigger.
        trigger: String,
        /// The hook, or plugn if plugn ran it.
        hook: PathBuf,
        /// The time that it had.
        limit: Duration,
    },
    /// For the operator: the system refused. The message contains the reason, so the reason is not the error's
    /// `source` as well: it would be printed twice.
    #[error("{action} {}: {reason}", path.display())]
    Io {
        /// The operation: `read`, `run`.
        action: &'static str,
        /// The file or program it was for.
        path: PathBuf,
        /// The reason that the system gave.
        reason: io::Error,
    },
}

impl Error {
    /// The exit status with which plugn would have ended: that of the hook, or else 1.
    pub fn status(&self) -> u8 {
        match self {
            Self::Failed { status, .. } => *status,
            _ => 1,
        }
    }

    /// Whether a hook ended by itself. Then it could print a reason on stderr, which need not be repeated.
    pub fn has_spoken(&self) -> bool {
        matches!(self, Self::Failed { status, .. } if *status <= 128)
    }

    /// What the hooks wrote to stderr, if that was kept (see `Triggers::with_kept_stderr`); else empty.
    pub fn words(&self) -> &str {
        match self {
            Self::Failed { stderr, .. } => stderr,
            _ => "",
        }
    }
}

/// One line that says how a trigger failed, and to which plugins the hook may belong.
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
