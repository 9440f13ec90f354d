//! The transport of a probe: a TCP connection, or TLS over one.

use std::os::fd::BorrowedFd;

use rustix::event::PollFlags;

use crate::connection::Connection;

/// A channel whose calls do not block. The error of a call is the reason why the check does not hold, as a phrase for people.
pub trait Channel {
    /// The connection below it.
    fn connection(&self) -> &Connection;

    /// The events to wait for, if the probe has to send (`OUT`) or to receive (`IN`).
    fn waits_for(&self, usual: PollFlags) -> PollFlags;

    /// Sends as many of these bytes as possible now; `None` if none can be sent.
    fn send(&mut self, bytes: &[u8]) -> Result<Option<usize>, String>;

    /// Receives the bytes that have arrived, 0 at the end; `None` if there are none yet.
    fn receive(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, String>;

    /// The message at the deadline, if the channel is not ready yet to carry bytes. `within` is a phrase such as `within 5 s`.
    fn late(&self, within: &str) -> Option<String>;

    /// The descriptor of the connection.
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.connection().descriptor()
    }
}

impl Channel for Connection {
    fn connection(&self) -> &Connection {
        self
    }

    fn waits_for(&self, usual: PollFlags) -> PollFlags {
        usual
    }

    fn send(&mut self, bytes: &[u8]) -> Result<Option<usize>, String> {
        self.put(bytes).map_err(|error| error.to_string())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, String> {
        self.take(buffer).map_err(|error| error.to_string())
    }

    fn late(&self, _: &str) -> Option<String> {
        None
    }
}
