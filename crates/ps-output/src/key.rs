//! The app and instance that a line belongs to: the source of its prefix and its colour.

use formation::{AppName, Slot, Stream};
use ps_scheduler::LogLine;

/// The stream of an instance of an app.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The app.
    pub app: AppName,
    /// The instance.
    pub slot: Slot,
    /// The stream.
    pub stream: Stream,
}

impl Key {
    /// The key of a line that an instance of this app wrote.
    pub fn of(app: &AppName, line: &LogLine) -> Self {
        Self { app: app.clone(), slot: line.slot.clone(), stream: line.stream }
    }
}
