//! The selection.

use std::fmt;

use formation::{AppName, Slot};

/// The selected app, or the selected instance of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Subject {
    pub(crate) app: AppName,
    pub(crate) slot: Option<Slot>,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.slot {
            Some(slot) => write!(f, "{} {slot}", self.app),
            None => write!(f, "{}", self.app),
        }
    }
}
