//! The slots that failed in a deploy, and the message about them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use formation::{AppName, Slot};
use ps_rollout::Fate;

/// What programs print when their port is taken, in lower case.
const IN_USE: [&str; 3] = ["address already in use", "address in use", "eaddrinuse"];

/// A slot that failed a deploy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedSlot {
    /// The slot.
    pub slot: Slot,
    /// The failure, as a phrase that follows the slot's name, with the last lines of the instance's output.
    pub reason: String,
}

impl FailedSlot {
    /// The lines of the reason that say that a port was in use.
    pub fn lines_about_a_port(&self) -> impl Iterator<Item = &str> {
        let is_about_it = |line: &&str| {
            let line = line.to_lowercase();
            IN_USE.iter().any(|words| line.contains(words))
        };
        self.reason.lines().filter(is_about_it)
    }

    /// Whether the slot failed because a port was in use while the slot's earlier instance ran on.
    pub(crate) fn is_refused_a_port(&self, fates: &BTreeMap<Slot, Fate>) -> bool {
        matches!(fates.get(&self.slot), Some(Fate::Kept(_))) && self.lines_about_a_port().next().is_some()
    }
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
