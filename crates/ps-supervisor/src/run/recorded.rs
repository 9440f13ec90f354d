//! The entries about the life of a run for the journal.

use std::time::Duration;

use formation::{EndCause, Exit, LifeEvent, LifeStep};

use super::Run;
use super::end::Cause;
use crate::means::Means;

impl Run {
    /// A step in its life; `reason` says why, for people.
    pub(super) fn record(&self, step: LifeStep, reason: Option<&str>, means: &mut Means) {
        let reason = reason.map(str::to_owned);
        means.diary.live(&self.status.slot, LifeEvent { reason, ..LifeEvent::new(step, self.number()) });
    }

    /// A check's answer. A check command may print what it finds in its environment, so values of that are taken out.
    pub(super) fn record_answer(&self, step: LifeStep, answer: &str, means: &mut Means) {
        let environment = means.environments.of(&means.spec, &self.status.slot, self.status.port);
        let shown = environment.map_or_else(|_| answer.to_owned(), |known| known.hide(answer));
        self.record(step, Some(&shown), means);
    }

    /// The end of its main process, which is known to its status already.
    pub(super) fn record_end(&self, exit: Option<Exit>, lifetime: Duration, means: &mut Means) {
        self.tell_kill(means);
        let life = LifeEvent {
            exit,
            cause: Some(self.cause_of_end(exit)),
            lived_ms: u64::try_from(lifetime.as_millis()).ok(),
            reason: self.status.out_of_memory.map(|killed| killed.to_string()),
            ..LifeEvent::new(LifeStep::Exit, self.number())
        };
        means.diary.live(&self.status.slot, life);
    }

    fn cause_of_end(&self, exit: Option<Exit>) -> EndCause {
        if self.status.out_of_memory.is_some_and(|killed| killed.main) {
            return EndCause::Memory;
        }
        match (self.cause, exit) {
            (Some(Cause::Asked), _) if self.state.is_ending() => EndCause::Asked,
            (Some(Cause::Failed(_)), _) if self.state.is_ending() => EndCause::Check,
            (_, Some(Exit::Code(_))) => EndCause::Itself,
            (_, Some(Exit::Signal(_))) => EndCause::Signal,
            (_, None) => EndCause::Unseen,
        }
    }
}
