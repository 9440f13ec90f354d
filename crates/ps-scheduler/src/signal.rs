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
    /// Some of it may not be signalled by us; the others got it.
    Refused {
        /// Which process, of whom, and why.
        reason: String,
    },
}
