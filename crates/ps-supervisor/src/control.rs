//! The protocol of the control socket: one JSON document a line, in both directions.

use std::path::PathBuf;

use balance::Receipt;
use formation::Slot;
use serde::{Deserialize, Serialize};

use crate::address::Backend;
use crate::build::Build;
use crate::rollout::Report;
use crate::spec::Spec;
use crate::status::Status;

/// The longest line in either direction, in bytes.
pub(crate) const MAX_LINE: usize = 1 << 20;

/// The version of the protocol. It grows when an existing message changes its meaning. A new message alone does not
/// change it, because a peer ignores messages that it does not know.
pub const PROTOCOL: u32 = 1;

/// The request of a client. Each is answered by one [`Message::Reply`]. A request that the supervisor does not know,
/// because the client is of a later version, is answered with an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Request {
    /// Asks for the version: [`Message::Hello`] comes before the reply. Supervisors older than this request answer it with
    /// an error.
    Hello,
    /// Asks the supervisor to execute this program, which is that of a newer build, in its own process, which keeps its pid
    /// and its children. The supervisor first asks the program whether it can go on. If it can, this connection is closed;
    /// otherwise [`Message::Stays`] tells why not. Supervisors older than this request answer it with an error.
    Reexec {
        /// Its path.
        program: PathBuf,
    },
    /// Read the spec again and act on it. Instances that have finished or were given up are not started by this.
    Apply,
    /// Start these instances, also those that have finished or were given up; a running one is left alone.
    Start {
        /// The slots; those that the spec does not want are ignored.
        slots: Vec<Slot>,
    },
    /// Replace these instances.
    Restart {
        /// The slots; those that the spec does not want are ignored.
        slots: Vec<Slot>,
    },
    /// Forget how often these instances died and were restarted. Running instances go on, and the current delay of one that
    /// waits is not cut short.
    Reset {
        /// The slots; those that do not exist are ignored.
        slots: Vec<Slot>,
    },
    /// Limit every run again as it was limited: the controllers may have been taken from the groups meanwhile.
    Limit,
    /// Tell the holder of all outputs again: there is another one, which knows of none.
    Hold,
    /// Roll out the revision in [`crate::NEXT_FILE`]: these slots get a new run, slots that the revision does not want are
    /// emptied, and the others are kept. [`Message::Rollout`] reports the progress; the rollout goes on if the client
    /// disconnects. Refused while another rollout is in progress.
    Roll {
        /// The slots; those that the revision does not want are ignored.
        slots: Vec<Slot>,
    },
    /// Direct the clients of the app's address to these instances of another scheduler, in addition to the app's own. The list is
    /// complete: an instance that was in an earlier list and is missing here gets no more connections. [`Message::Led`] follows once that
    /// is done and the missing ones have no connections left, or their time is over. Sending the same request again waits for the same.
    /// It is refused if the app has no address, or if it cannot be written to disk.
    Lead {
        /// The instances.
        backends: Vec<Backend>,
        /// Whether what is counted from here on is of a rollout that begins now.
        #[serde(default)]
        begins: bool,
    },
    /// Undo the rollout that is in progress. Once it has been committed, this changes nothing.
    Cancel,
    /// Stop these instances, keep them stopped, and record that. The message holds all that is needed: the supervisor stops
    /// them even if the spec can be neither read nor written.
    Stop {
        /// The slots; those that do not exist are ignored.
        slots: Vec<Slot>,
        /// The grace period, from SIGTERM to SIGKILL, in seconds; that of the spec if it is absent.
        #[serde(default)]
        grace_seconds: Option<u64>,
    },
    /// Have the logs of these instances go on in new files. [`Message::Logs`] comes before the reply. Supervisors older than this
    /// request answer it with an error.
    RotateLogs {
        /// The slots, with or without a process.
        slots: Vec<Slot>,
    },
    /// Remove what these instances wrote until now. [`Message::Logs`] comes before the reply. Supervisors older than this request
    /// answer it with an error.
    FlushLogs {
        /// The slots, with or without a process.
        slots: Vec<Slot>,
    },
    /// Send the status of every instance now, and every change from now on.
    Watch,
    /// Send the spec: [`Message::Spec`] comes before the reply.
    Spec,
    /// Stop everything, keep it stopped, record that, then exit.
    End {
        /// As for [`Request::Stop`].
        #[serde(default)]
        grace_seconds: Option<u64>,
    },
}

/// A message of the supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Message {
    /// Which version of this protocol the supervisor speaks.
    Hello {
        /// Its [`PROTOCOL`].
        protocol: u32,
        /// The build of the supervisor's program; absent if its version is too old to say.
        #[serde(default)]
        build: Option<Build>,
    },
    /// The supervisor does not execute the program that a client asked it to execute, and goes on as before.
    Stays {
        /// Why.
        reason: String,
    },
    /// The current status of an instance.
    Instance(Status),
    /// The current status of a run beside the one that fills its slot. Older clients ignore this message.
    Run(Status),
    /// An instance is no longer part of the formation, and has ended.
    Gone {
        /// The slot.
        slot: Slot,
    },
    /// The spec that the supervisor acts on.
    Spec {
        /// As the supervisor has it in memory: the file may be damaged or older.
        spec: Box<Spec>,
    },
    /// The progress of a rollout. A client that begins to watch also gets it, as long as no client has been told the
    /// outcome.
    Rollout(Box<Report>),
    /// Clients are led as [`Request::Lead`] has asked for.
    Led {
        /// Those that had connections when their time was up.
        late: Vec<String>,
        /// Why `ps-balance` does not go by what it was told.
        refused: Option<String>,
        /// What clients have seen since the rollout began; `None` if no beginning was announced.
        receipt: Option<Receipt>,
    },
    /// Logs were rotated or emptied.
    Logs {
        /// How many bytes of output that was about.
        bytes: u64,
        /// For each slot of which not everything could be done, which one and why.
        failed: Vec<String>,
    },
    /// Everything has ended, but that cannot be recorded yet. The supervisor does not exit until it can.
    Unwritten {
        /// Why.
        reason: String,
    },
    /// The answer to one request.
    Reply {
        /// Why the request was refused; `None` if it was not.
        error: Option<String>,
    },
    /// A message of a later version.
    #[serde(other)]
    Unknown,
}
