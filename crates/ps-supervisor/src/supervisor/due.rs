//! The time of the next thing to do that no event announces.

use std::time::{Duration, Instant};

use super::{LOOK, Supervisor};
use crate::rollout::Carried;

impl Supervisor {
    /// How long it may sleep if nothing is heard meanwhile: until the first thing is due. `None`: for ever.
    #[inline(never)]
    pub(super) fn timeout(&mut self) -> Option<Duration> {
        let now = Instant::now();
        let unsent = (self.server.flush() || self.clears_since.is_some()).then(|| now + LOOK);
        let seats = self.seats.values().filter_map(|seat| seat.due(now, LOOK));
        let rollout = self.rollout.as_ref().and_then(Carried::due);
        let logs = self.flow.due().into_iter().chain([self.tidier.due()]);
        let own = [
            self.spec_due(),
            self.unseen_due(now),
            self.checks_due(now),
            self.candidate_due(),
            self.files_due(),
            self.clock_due(now),
            self.address_due(),
        ];
        let others = self.paused.values().copied().chain(rollout).chain(logs);
        let next = seats.chain(unsent).chain(others).chain(own.into_iter().flatten()).min()?;
        Some(next.saturating_duration_since(now))
    }
}
