//! The order to send a signal to running instances, and its result.

use formation::{AppName, SignalName, State, Which};

/// The order.
#[derive(Clone, Debug)]
pub struct SignalOrder {
    /// The app.
    pub app: AppName,
    /// Which of its instances.
    pub which: Which,
    /// The signal.
    pub signal: SignalName,
    /// Whether only the main process of each instance gets it.
    pub main_alone: bool,
    /// Whether only a process with a handler for it gets it. Others would be ended by the signal, or ignore it.
    pub if_handled: bool,
}

/// The result for one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signalled {
    /// It was sent to this many processes.
    Sent {
        /// How many; 0 if the instance has just ended.
        processes: usize,
    },
    /// The instance does not run, so nothing was sent.
    NotRunning(State),
    /// We may not signal a process, or it lacks the required handler. The other processes got the signal.
    Refused {
        /// Which process, of which user, and why.
        reason: String,
    },
}
