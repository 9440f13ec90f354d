//! The entries about decisions of the restart policy for the journal.

use formation::{LifeEvent, LifeStep};

use super::Seat;
use crate::means::Means;
use crate::restart::Death;
use crate::run::Cause;
use crate::seat_table::AfterDeath;

impl Seat {
    /// Tells what is decided about a run that has ended. About one that was told to end nothing is decided.
    pub(super) fn tell_verdict(&self, death: &Death, verdict: AfterDeath, means: &mut Means) {
        self.tell_failure(death, verdict, means);
        let step = match verdict {
            AfterDeath::Again => LifeStep::Backoff,
            AfterDeath::GiveUp => LifeStep::Crashed,
            AfterDeath::Rest => LifeStep::Done,
            AfterDeath::Await => return,
        };
        let Some(run) = self.current.run() else { return };
        if run.cause == Some(Cause::Asked) && !self.is_filled() {
            return;
        }
        let status = &run.status;
        let terms = run.terms(means);
        let delay = status.deaths.nominal_delay(terms.rules().settings);
        let is_again = verdict == AfterDeath::Again;
        let life = LifeEvent {
            delay_ms: u64::try_from(delay.as_millis()).ok().filter(|_| is_again),
            deaths: Some(status.deaths.in_row()).filter(|_| verdict != AfterDeath::Rest),
            reason: status.reason.clone().filter(|_| verdict == AfterDeath::GiveUp),
            ..LifeEvent::new(step, status.run)
        };
        means.diary.live(&self.slot, life);
    }
}
