//! What is said over the socket of a root: one JSON document a line, both ways.

use std::path::PathBuf;

use os_process::ProcessId;
use serde::{Deserialize, Serialize};

/// The socket's name in the root's own directory.
pub(crate) const SOCKET: &str = "control";
/// The longest line in either direction, in bytes.
pub(crate) const MAX_LINE: usize = 1 << 13;
/// The version of what is said here. It grows when a word changes its meaning.
pub const PROTOCOL: u32 = 1;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Request {
    /// Say who you are: [`Message::Hello`].
    Hello,
    /// Keep the supervisor of an app alive, and start it if there is none: [`Message::Started`], or why not.
    Start {
        /// The app.
        app: String,
    },
    /// Keep that of an app alive no longer: a reply at once, and [`Message::Settled`] once it has ended. A root that nobody needs
    /// any more leaves instead.
    LetGo {
        /// The app.
        app: String,
    },
    /// Execute this program in your place: an upgrade. The children stay; whoever is connected is not.
    Reexec {
        /// The program.
        program: PathBuf,
    },
    /// Leave your place to somebody who stays.
    Leave,
}

/// What the root says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(crate) enum Message {
    /// Who it is.
    Hello {
        /// Its [`PROTOCOL`].
        protocol: u32,
        /// Its version.
        version: String,
        /// Device and inode of the program that it executes.
        program: (u64, u64),
    },
    /// A supervisor of the app lives.
    Started {
        /// Which process it is.
        process: ProcessId,
        /// Whether it was started for this request.
        is_new: bool,
    },
    /// What was let go has ended.
    Settled,
    /// The answer to any other request; `error` says why it was refused.
    Reply {
        /// Why it was refused, if it was.
        error: Option<String>,
    },
    /// Something that only a later version understands.
    #[serde(other)]
    Unknown,
}
