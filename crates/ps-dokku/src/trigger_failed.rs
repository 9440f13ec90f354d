//! A hook that failed: the message about it, and the exit status that follows from it.

use std::fmt;

/// A hook failed.
#[derive(Debug)]
pub struct TriggerFailed {
    pub(crate) status: u8,
    /// Dokku's sentence about the failure; empty if there is none.
    pub(crate) words: &'static str,
    /// The trigger, how its hook failed, and whose hook it is.
    pub(crate) reason: String,
    /// The last lines that hooks wrote to stderr, if they are to be repeated; else empty.
    pub(crate) said: String,
    /// Whether a hook ended by itself, so that it could print a reason.
    pub(crate) has_spoken: bool,
    /// Whether the hooks have already said enough, so that the trigger is not named.
    pub(crate) is_told: bool,
}

impl TriggerFailed {
    /// The hook's exit status, which becomes the command's.
    pub fn status(&self) -> u8 {
        self.status
    }

    /// The last lines that hooks wrote to stderr, which are to be printed again; empty if there are none.
    pub fn said(&self) -> &str {
        &self.said
    }

    /// The sentence that ends the output; empty if the hooks have already said enough.
    pub fn last_word(&self) -> String {
        if self.is_told { String::new() } else { self.to_string() }
    }
}

impl fmt::Display for TriggerFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.words {
            "" => f.write_str(&self.reason),
            words => write!(f, "{words}: {}", self.reason),
        }
    }
}

impl std::error::Error for TriggerFailed {}
