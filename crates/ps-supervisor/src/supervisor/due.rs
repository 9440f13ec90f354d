//! The time of the next thing to do that no event announces.

use std::time::{Duration, Instant};

use super::{LOOK, Supervisor};
use crate::rollout::Carried;
use crate::wakeup::Wakeup;

/// When something is to be done next, if nothing is heard meanwhile. `None`: never.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    /// An output is to be read again, or its pipe made small.
    outputs: Option<Instant>,
    /// Anything else.
    others: Option<Instant>,
}

impl Due {
    /// How long the wait may be; `None`: for ever.
    pub(super) fn timeout(&self) -> Option<Duration> {
        let next = self.outputs.into_iter().chain(self.others).min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    /// Whether nothing but outputs is due now.
    pub(super) fn is_left_to_outputs(&self) -> bool {
        self.others.is_none_or(|others| others > Instant::now())
    }
}

impl Supervisor {
    #[inline(never)]
    pub(super) fn due(&mut self) -> Due {
        let now = Instant::now();
        let unsent = (self.server.flush() || self.clears_since.is_some()).then(|| now + LOOK);
        let seats = self.seats.values().filter_map(|seat| seat.due(now, LOOK));
        let rollout = self.rollout.as_ref().and_then(Carried::due);
        let own = [
            Some(self.tidier.due()),
            self.spec_due(),
            self.unseen_due(now),
            self.checks_due(now),
            self.candidate_due(),
            self.files_due(),
            self.clock_due(now),
            self.address_due(),
            self.renewal_due(now),
        ];
        let paused = |is_output| {
            let of_kind = move |(wakeup, _): &(&Wakeup, _)| wakeup.is_output() == is_output;
            self.paused.iter().filter(of_kind).map(|(_, until)| *until)
        };
        let others = seats.chain(unsent).chain(paused(false)).chain(rollout).chain(own.into_iter().flatten());
        Due { outputs: paused(true).chain(self.flow.due()).min(), others: others.min() }
    }
}
