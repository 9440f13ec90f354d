//! A slot that failed a deploy, and how such slots are told.

use std::fmt::Write as _;

use formation::{AppName, Slot};

/// A slot that failed a deploy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedSlot {
    /// The slot.
    pub slot: Slot,
    /// What happened, as a fragment that goes on after the slot, with the last lines that its instance wrote.
    pub reason: String,
}

/// The failure of a deploy for people: a line for each slot that failed, then what is not as it was.
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
