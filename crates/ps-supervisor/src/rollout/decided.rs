//! What a rollout decides, recorded with what it was decided from.

use std::time::Duration;

use ps_rollout::{Action, Event};

use super::Carried;
use crate::diary::Decision;

impl Carried {
    /// What is to be done on account of an event.
    pub(super) fn handle(&mut self, event: Event, next_number: u64, since_boot: Duration) -> Vec<Action> {
        let then = self.rollout.handle(event.clone(), since_boot);
        self.decided.push(Decision::Step { since_boot, next_number, event, then: then.clone() });
        then
    }

    /// What was decided since this was last asked.
    pub(crate) fn take_decided(&mut self) -> Vec<Decision> {
        std::mem::take(&mut self.decided)
    }
}
