//! How a backend has failed clients to whom it was connected.

use serde::{Deserialize, Serialize};

/// One such failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It reset a connection; in HTTP it broke off its answer.
    Broken,
    /// In HTTP: it ended the connection before it answered, or its answer was no HTTP.
    Unanswered,
    /// In HTTP: it answered with a status of 500 or above.
    Error,
}

/// How often each has happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// All of them: connections that it reset; in HTTP requests that it broke off, or answered with a status of 500 or above.
    #[serde(default)]
    pub broken: u64,
    /// Those among them that got no answer.
    #[serde(default)]
    pub unanswered: u64,
    /// Those among them that it answered with a status of 500 or above.
    #[serde(default)]
    pub errors: u64,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.broken += 1;
        match fault {
            Fault::Broken => {}
            Fault::Unanswered => self.unanswered += 1,
            Fault::Error => self.errors += 1,
        }
    }

    pub(crate) fn are_none(&self) -> bool {
        *self == Self::default()
    }

    /// How many connections it reset, or answers it broke off after they had begun.
    pub fn broken_off(&self) -> u64 {
        self.broken.saturating_sub(self.unanswered + self.errors)
    }

    /// What has come since an earlier count.
    #[must_use]
    pub fn since(&self, earlier: Self) -> Self {
        Self {
            broken: self.broken.saturating_sub(earlier.broken),
            unanswered: self.unanswered.saturating_sub(earlier.unanswered),
            errors: self.errors.saturating_sub(earlier.errors),
        }
    }

    /// The higher of two counts of the same backend, of which the lower one is older.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        if other.broken > self.broken { other } else { self }
    }
}
