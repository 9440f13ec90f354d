//! Messages about instances that wait for other types.

use std::collections::BTreeMap;

use formation::{Slot, State};
use ps_supervisor::Status;

/// What each instance waits for, as last reported.
#[derive(Debug, Default)]
pub(crate) struct Waiting(BTreeMap<Slot, String>);

impl Waiting {
    /// The message that says what an instance waits for; `None` if that was reported already.
    pub(crate) fn news(&mut self, status: &Status) -> Option<String> {
        if status.state != State::Waiting {
            self.0.remove(&status.slot);
            return None;
        }
        let reason = status.reason.clone()?;
        let is_news = self.0.insert(status.slot.clone(), reason.clone()).as_ref() != Some(&reason);
        is_news.then_some(reason)
    }

    /// The instances that still wait, each with the text that says what for.
    pub(crate) fn left(self) -> impl Iterator<Item = (Slot, String)> {
        self.0.into_iter()
    }
}
