//! A finding: a cause or a circumstance, with its evidence.

use std::path::PathBuf;

use jiff::Timestamp;

use crate::facts::Line;

/// A sentence and what it rests on.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    /// A word that stays the same, for scripts.
    pub(crate) cause: &'static str,
    /// The sentence, without its full stop.
    pub(crate) says: String,
    /// What it rests on.
    pub(crate) evidence: Vec<Evidence>,
    /// What to do about it.
    pub(crate) cure: Option<String>,
}

/// Where a sentence comes from.
#[derive(Clone, Debug)]
pub(crate) enum Evidence {
    /// The entry of the app's journal of that time.
    Journal(Timestamp),
    /// A line that the instance wrote.
    Output(Line),
    /// What its scheduler says of it now.
    Status,
    /// A file or a directory.
    File(PathBuf),
    /// What the kernel says of the process with this pid.
    Process(u32),
    /// The kernel's table of sockets.
    Sockets,
    /// The engine.
    Engine,
}

/// A finding without its cause, which the table of rules has.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) says: String,
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) cure: Option<String>,
    /// The cause, where the rule alone does not say it.
    pub(crate) cause: Option<&'static str>,
}

impl Said {
    pub(crate) fn new(says: impl Into<String>, evidence: impl IntoIterator<Item = Evidence>) -> Self {
        Self { says: says.into(), evidence: evidence.into_iter().collect(), cure: None, cause: None }
    }

    pub(crate) fn cure(self, cure: impl Into<String>) -> Self {
        Self { cure: Some(cure.into()), ..self }
    }

    pub(crate) fn cause(self, cause: &'static str) -> Self {
        Self { cause: Some(cause), ..self }
    }

    pub(crate) fn of(self, cause: &'static str) -> Finding {
        let Self { says, evidence, cure, cause: own } = self;
        Finding { cause: own.unwrap_or(cause), says, evidence, cure }
    }
}
