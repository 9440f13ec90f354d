//! What is said over the control socket: one JSON document a line, both ways.

use std::path::PathBuf;

use formation::Slot;
use serde::{Deserialize, Serialize};

use crate::build::Build;
use crate::rollout::Report;
use crate::spec::Spec;
use crate::status::Status;

/// The socket's name in a service directory.
pub(crate) const CONTROL_SOCKET: &str = "control";

/// The longest line in either direction, in bytes.
pub(crate) const MAX_LINE: usize = 1 << 20;

/// The version of what is said here. It grows when a word changes its meaning; new words alone are passed over by whoever does
/// not know them.
pub const PROTOCOL: u32 = 1;

/// What a client asks for. Each request is answered by one [`Message::Reply`]; one that a supervisor does not know, because
/// the client is of a later version, is answered with an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Request {
    /// Say which version of this protocol is spoken: [`Message::Hello`] comes before the reply. Supervisors from before there
    /// were versions refuse it.
    Hello,
    /// Become this program, the installed one of a later build: the same process, with the same children. First it is asked whether
    /// it can go on. If it can, this connection ends; [`Message::Stays`] comes where it cannot. Supervisors from before there were
    /// builds refuse it.
    Reexec {
        /// Its path.
        program: PathBuf,
    },
    /// Read the spec again and make it so. What is over is not started by that.
    Apply,
    /// Start these instances, also those that ended by themselves; what runs is left alone.
    Start {
        /// The slots; those that are not to be filled are left alone.
        slots: Vec<Slot>,
    },
    /// Replace these instances.
    Restart {
        /// The slots; those that are not to be filled are left alone.
        slots: Vec<Slot>,
    },
    /// Forget how often these instances died and were started again. What runs is left alone, and so is the delay of one that
    /// waits.
    Reset {
        /// The slots; those that are not there are left alone.
        slots: Vec<Slot>,
    },
    /// Carry out what [`crate::NEXT_FILE`] holds: these slots get a new run of it, what it does not want ends, and the rest is
    /// kept. [`Message::Rollout`] tells how that goes; whoever asked may leave. Refused while another rollout is under way.
    Roll {
        /// The slots; those that are not to be filled are left alone.
        slots: Vec<Slot>,
    },
    /// Put back what the rollout that is under way has changed. Once it has been committed this is too late and changes nothing.
    Cancel,
    /// End these instances and keep them stopped, and write that down. All that is needed is in the message: the
    /// spec need be neither readable nor writable.
    Stop {
        /// The slots; those that are not there are left alone.
        slots: Vec<Slot>,
        /// From SIGTERM to SIGKILL, in seconds; as the spec says where nothing is said.
        #[serde(default)]
        grace_seconds: Option<u64>,
    },
    /// Tell the status of every instance now, and each change from now on.
    Watch,
    /// Tell the spec: [`Message::Spec`] comes before the reply.
    Spec,
    /// Stop everything, keep it stopped, write that down, then leave.
    End {
        /// As for [`Request::Stop`].
        #[serde(default)]
        grace_seconds: Option<u64>,
    },
}

/// What the supervisor says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Message {
    /// Which version of this protocol the supervisor speaks.
    Hello {
        /// Its [`PROTOCOL`].
        protocol: u32,
        /// Which build of the program it is; one from before there were builds says nothing.
        #[serde(default)]
        build: Option<Build>,
    },
    /// The supervisor does not become the program that it was asked to become, and goes on as it is.
    Stays {
        /// Why.
        reason: String,
    },
    /// An instance, now.
    Instance(Status),
    /// A run that lives beside the one that fills its slot, now. A client of before passes this over.
    Run(Status),
    /// An instance is no longer part of the formation and has ended.
    Gone {
        /// The slot.
        slot: Slot,
    },
    /// What is to be kept running.
    Spec {
        /// As the supervisor knows it: its file may be damaged, or older.
        spec: Box<Spec>,
    },
    /// How a rollout goes; also told to whoever begins to watch, as long as nobody was told what has come of it.
    Rollout(Box<Report>),
    /// Everything has ended, but that cannot be written down yet; the supervisor stays until it can be.
    Unwritten {
        /// Why.
        reason: String,
    },
    /// The answer to one request; `error` says why it was refused.
    Reply {
        /// Why it was refused, if it was.
        error: Option<String>,
    },
    /// Something that only a later version of this program understands.
    #[serde(other)]
    Unknown,
}
