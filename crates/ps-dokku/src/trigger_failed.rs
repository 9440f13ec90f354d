//! A hook that failed: what is said of it, and which exit status comes of it.

use std::fmt;

/// A hook failed.
#[derive(Debug)]
pub struct TriggerFailed {
    pub(crate) status: u8,
    /// Dokku's sentence about it, or nothing.
    pub(crate) words: &'static str,
    /// Which trigger failed, how, and whose hook it is.
    pub(crate) reason: String,
    /// The end of what hooks wrote to stderr, which is to be repeated; empty if nothing is.
    pub(crate) said: String,
    /// Whether a hook ended by itself: then it could say why.
    pub(crate) has_spoken: bool,
    /// Whether the trigger is not named, because the hooks have said enough.
    pub(crate) is_told: bool,
}

impl TriggerFailed {
    /// The hook's exit status, which is to be the command's.
    pub fn status(&self) -> u8 {
        self.status
    }

    /// The end of what hooks wrote to stderr, which is to be said once more; empty if nothing is.
    pub fn said(&self) -> &str {
        &self.said
    }

    /// The last word about it; empty where the hooks have said enough.
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
