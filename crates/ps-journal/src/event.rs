//! The lines of a journal. Fields and events may be added, never renamed: a reader takes a word that it does not know for
//! unknown, and goes on.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The number of this format. A program that changes the meaning of a field raises it.
pub(crate) const FORMAT: u32 = 1;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The number of its format.
    pub format: u32,
    /// When it was written, by the clock on the wall (RFC 3339, UTC).
    pub at: Timestamp,
    /// The same by a clock that nobody sets, in milliseconds; it begins anew with each boot.
    pub monotonic_ms: u64,
    /// Which boot.
    pub boot: String,
    /// Which run of which program wrote it: what one command did has one act.
    pub act: String,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Somebody asked for something; it begins.
    Asked {
        /// What for: `deploy`, `stop`, `scale`.
        verb: String,
        /// Who.
        #[serde(flatten)]
        asker: Asker,
        /// The words of the command line behind the program's name, without secrets.
        arguments: Vec<String>,
    },
    /// What will be done to each slot, before anything is.
    Planned {
        /// Slots of which the same is to be said stand together.
        changes: Vec<Change>,
    },
    /// What has become of each slot.
    Done {
        /// As for `planned`.
        changes: Vec<Change>,
    },
    /// It is over.
    Ended {
        /// What was asked for.
        verb: String,
        /// How it ended.
        outcome: Outcome,
        /// Why it failed: the first line of what the person was told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        /// How long it took.
        took_ms: u64,
    },
    /// A word of a later version.
    #[serde(other)]
    Unknown,
}

/// Who asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asker {
    /// The user that the program ran as.
    pub user: String,
    /// Who that user says to act for: `SUDO_USER`, or the name of the SSH key by which somebody speaks to Dokku.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
}

/// What is done to some slots of one process type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// `web.1`, or `web.1-3,7`.
    pub slots: String,
    /// `keep`, `start`, `stop`, `replace`; of what was done: `kept`, `started`, …
    pub change: String,
    /// Why, for people.
    pub reason: String,
}

/// How something ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As asked.
    Done,
    /// With an error.
    Failed,
    /// A word of a later version.
    #[serde(other)]
    Unknown,
}
