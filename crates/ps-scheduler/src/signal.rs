//! A signal that a person sends to what runs.

use formation::{AppName, SignalName, State, Which};

/// A signal, and who is to get it.
#[derive(Clone, Debug)]
pub struct SignalOrder {
    /// The app.
    pub app: AppName,
    /// Which of its instances.
    pub which: Which,
    /// The signal.
    pub signal: SignalName,
    /// Whether only the main process of each instance gets it, and not what came from that.
    pub main_alone: bool,
    /// Whether only a process gets it that has a handler for it: any other would be ended, or not notice.
    pub if_handled: bool,
}

/// What has come of a signal to one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signalled {
    /// That many processes got it.
    Sent {
        /// How many; 0 if it ended in this moment.
        processes: usize,
    },
    /// Nothing was sent, because it does not run.
    NotRunning(State),
    /// Some of it may not be signalled by us, or has no handler where one is needed; the others got it.
    Refused {
        /// Which process, of whom, and why.
        reason: String,
    },
}
