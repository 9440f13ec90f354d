//! The lines of a journal. Fields and events may be added, never renamed: a reader treats an unknown word as unknown,
//! and continues.

use balance::Receipt;
use formation::{LifeEvent, Slot};
use jiff::Timestamp;
use ps_rollout::{Tally, Verdict};
use serde::{Deserialize, Serialize};

/// The number of this format. A program that changes the meaning of a field raises it.
pub(crate) const FORMAT: u32 = 1;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The number of the format.
    pub format: u32,
    /// When the entry was written, by the wall clock (RFC 3339, UTC).
    pub at: Timestamp,
    /// The time since boot, in milliseconds, which setting the clock does not change.
    pub monotonic_ms: u64,
    /// The id of the boot.
    pub boot: String,
    /// Identifies the run of the program that wrote the entry: all events of one command have the same act.
    pub act: String,
    /// The event.
    #[serde(flatten)]
    pub event: Event,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A verb was called and begins.
    Asked {
        /// The verb: `deploy`, `stop`, `scale`.
        verb: String,
        /// The caller.
        #[serde(flatten)]
        asker: Asker,
        /// The words of the command line after the program's name, without secrets.
        arguments: Vec<String>,
    },
    /// The changes that will be made to slots, written before the first one is made.
    Planned {
        /// Slots with the same change are joined.
        changes: Vec<Change>,
    },
    /// The changes that were made.
    Done {
        /// As for [`Event::Planned`].
        changes: Vec<Change>,
    },
    /// The connections of an app's clients during a rollout of an app with an address.
    Receipt {
        /// The numbers of connections, by release and by how they ended.
        #[serde(flatten)]
        receipt: Receipt,
    },
    /// The result of the comparison of a new release with the earlier one.
    Canary {
        /// Whether the new release took over, or why not.
        verdict: Verdict,
        /// The requests to the new release.
        canary: Tally,
        /// The requests to the control instances, which ran the earlier release.
        control: Tally,
    },
    /// The verb has ended.
    Ended {
        /// The verb.
        verb: String,
        /// The result.
        outcome: Outcome,
        /// Why the verb failed: the first line of the message.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        /// How long the verb took, in milliseconds.
        took_ms: u64,
    },
    /// An event that no request has caused: files have changed, a scheduled run failed or was missed, the kernel killed a
    /// process because memory had run out.
    Happened {
        /// The source of the event: `schedule`, `watch`, `memory`, `containers`, `certificate`.
        origin: String,
        /// `web.1`, or `web.1-3,7`; those of each type stand together.
        slots: Vec<String>,
        /// The number of the run, if the event is about one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<u64>,
        /// What happened, for people.
        what: String,
        /// Whether it is a failure.
        outcome: Outcome,
    },
    /// A step in the life of an instance's process, as its supervisor saw it.
    Instance {
        /// The instance.
        slot: Slot,
        /// The step.
        #[serde(flatten)]
        life: LifeEvent,
    },
    /// An event of a later version.
    #[serde(other)]
    Unknown,
}

/// The caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asker {
    /// The user that the program ran as.
    pub user: String,
    /// The person behind that user: the client of ps-web, `SUDO_USER`, or the name of the SSH key that was used with
    /// Dokku.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
}

/// A change of some slots of one process type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// `web.1`, or `web.1-3,7`.
    pub slots: String,
    /// `keep`, `start`, `stop`, `replace`; for completed changes `kept`, `started`, …
    pub change: String,
    /// Why, for people.
    pub reason: String,
}

/// The result of a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The verb succeeded.
    Done,
    /// The verb failed.
    Failed,
    /// An outcome of a later version.
    #[serde(other)]
    Unknown,
}
