//! The protocol of a root's socket: one JSON document a line, in both directions.

use std::collections::BTreeMap;
use std::path::PathBuf;

use os_process::ProcessId;
use serde::{Deserialize, Serialize};

/// The socket's name in the root's own directory.
pub(crate) const SOCKET: &str = "control";
/// The longest line in either direction, in bytes.
pub(crate) const MAX_LINE: usize = 1 << 13;
/// The version of the protocol. It is increased when the meaning of an existing message changes.
pub const PROTOCOL: u32 = 1;

/// The request of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Request {
    /// Asks for version and program: [`Message::Hello`].
    Hello,
    /// Keep the supervisor of an app alive, and start it if it does not run: [`Message::Started`], or an error.
    Start {
        /// The app.
        app: String,
    },
    /// Do not restart the supervisor of an app any more: a reply at once, and [`Message::Ended`] once it has ended. A
    /// root that has no other app exits instead.
    LetGo {
        /// The app.
        app: String,
    },
    /// Run this command if the connection ends before [`Request::Done`] was sent. The client is about to change an app in more
    /// than one place, and may be killed in between.
    Provide {
        /// The app.
        app: String,
        /// The command.
        will: LastWill,
    },
    /// The client has completed what [`Request::Provide`] was for: a reply at once, and [`Message::Ended`] if the root stays.
    Done,
    /// Execute this program in your own process, for an upgrade. Children stay; connections are closed.
    Reexec {
        /// The program.
        program: PathBuf,
    },
    /// Exit in favour of a root that stays always.
    Leave,
}

/// A command that a program leaves with a root, for the case that it is killed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastWill {
    /// The program, an absolute path.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Variables of its environment, in addition to those that a supervisor is started with.
    pub variables: BTreeMap<String, String>,
}

/// A message of the root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(crate) enum Message {
    /// The answer to [`Request::Hello`].
    Hello {
        /// The [`PROTOCOL`] of the root.
        protocol: u32,
        /// The version of the root.
        version: String,
        /// Device and inode of the program that the root executes.
        program: (u64, u64),
    },
    /// A supervisor of the app is alive.
    Started {
        /// Its process.
        process: ProcessId,
        /// Whether it was started for this request.
        is_new: bool,
    },
    /// The supervisor that was let go has ended.
    #[serde(rename = "settled")]
    Ended,
    /// The answer to any other request.
    Reply {
        /// Why the request was refused; `None` if it was not.
        error: Option<String>,
    },
    /// A message of a later version.
    #[serde(other)]
    Unknown,
}
