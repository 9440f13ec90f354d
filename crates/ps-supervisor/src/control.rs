//! What is said over the control socket: one JSON document a line, both ways.

use ps_scheduler::Slot;
use serde::{Deserialize, Serialize};

use crate::status::Status;

/// The socket's name in a service directory.
pub(crate) const CONTROL_SOCKET: &str = "control";

/// The longest line in either direction, in bytes.
pub(crate) const MAX_LINE: usize = 1 << 20;

/// What a client asks for. Each request is answered by one [`Message::Reply`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Request {
    /// Read the spec again and make it so.
    Apply,
    /// Replace these instances.
    Restart {
        /// The slots; those that are not to be filled are left alone.
        slots: Vec<Slot>,
    },
    /// Tell the status of every instance now, and each change from now on.
    Watch,
    /// Stop everything, then leave.
    End,
}

/// What the supervisor says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Message {
    /// An instance, now.
    Instance(Status),
    /// An instance is no longer part of the formation and has ended.
    Gone {
        /// The slot.
        slot: Slot,
    },
    /// The answer to one request; `error` says why it was refused.
    Reply {
        /// Why it was refused, if it was.
        error: Option<String>,
    },
}
