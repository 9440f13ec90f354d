//! The primary side of the protocol of Node's `cluster` module. A Node program that was started with one end of a
//! socketpair as `NODE_CHANNEL_FD` and a number as `NODE_UNIQUE_ID` does not listen by itself: it asks the process at
//! the other end, and gets connections from there. So a program that calls `listen(8000)` can run in any number of
//! processes without a change to it.
//!
//! The crate starts no process, and does not interpret the app's own messages.

mod channel;
mod cluster;
mod door;
mod event;
mod lent;
mod lines;
mod place;
mod primary;
mod socket;
mod wire;
mod worker;

use std::io;
use std::os::fd::{OwnedFd, RawFd};

pub use event::{Event, Oddity};
pub use lines::LONGEST;
pub use place::{Place, Port, Target};
pub use primary::{Full, Primary, Sharing};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
pub use worker::{Id, Phase};

/// The content of a file for `node --require`. With it, a worker that was told to leave asks clients with persistent connections to
/// reconnect.
pub const KEEP_ALIVE: &str = include_str!("keep-alive.js");

/// The two ends of a channel: the first for the primary, the second for the worker. Both are closed on exec.
///
/// # Errors
/// The process has no descriptors left.
pub fn channel_ends() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC;
    Ok(rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?)
}

/// The environment variables of a worker that has its end of the channel open as `fd`. Node removes them from its environment, so that its
/// children do not see them.
pub fn environment(id: Id, fd: RawFd) -> [(&'static str, String); 3] {
    let [fd, mode] = environment_of_child(fd);
    [fd, mode, ("NODE_UNIQUE_ID", id.to_string())]
}

/// The variables of a process that has its end of the channel open as `fd` and is no worker: it listens by itself, and exchanges messages.
pub fn environment_of_child(fd: RawFd) -> [(&'static str, String); 2] {
    [("NODE_CHANNEL_FD", fd.to_string()), ("NODE_CHANNEL_SERIALIZATION_MODE", "json".to_owned())]
}

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
