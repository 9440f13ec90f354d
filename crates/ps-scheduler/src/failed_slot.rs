//! The slots that failed in a deploy, and the message about them.

use std::fmt::Write as _;

use formation::{AppName, Slot};

/// A slot that failed a deploy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedSlot {
    /// The slot.
    pub slot: Slot,
    /// The failure, as a phrase that follows the slot's name, with the last lines of the instance's output.
    pub reason: String,
}

/// The message of a failed deploy: a line for each slot that failed, then what differs from before.
pub(crate) fn told(app: &AppName, failed: &[FailedSlot], aftermath: &[String]) -> String {
    let mut text = String::new();
    for (n, FailedSlot { slot, reason }) in failed.iter().enumerate() {
        // A string takes what is written to it.
        let _ = write!(text, "{}{slot} of {app} {reason}", if n == 0 { "" } else { "\n" });
    }
    for sentence in aftermath {
        let _ = write!(text, "\n{sentence}");
    }
    text
}
