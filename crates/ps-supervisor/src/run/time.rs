//! The time limit of a run.

use std::time::Instant;

use ps_rollout::Role;
use type_settings::Span;

use super::Run;
use super::end::{Cause, Failing};
use crate::means::Means;
use crate::process::Process;
use crate::run_table::RunState;
use crate::spec::Spec;

impl Run {
    /// Begins to watch how long it takes, if its type has a limit. The time counts from the start of its process, whichever
    /// supervisor started that.
    pub(super) fn limit_time(&mut self, spec: &Spec) {
        let limit = spec.settings(&self.status.slot.process_type).and_then(|settings| settings.run_timeout);
        let left = limit.map(Span::get).zip(self.process.as_ref().map(Process::lifetime));
        let left = left.map(|(limit, lifetime)| limit.saturating_sub(lifetime));
        self.ends_at = left.and_then(|left| Instant::now().checked_add(left));
    }

    /// Ends it as a stop would, if its time is up.
    pub(super) fn look_at_time(&mut self, now: Instant, means: &mut Means) {
        if self.ends_at.take_if(|ends_at| *ends_at <= now).is_none() {
            return;
        }
        if !matches!(self.state, RunState::Starting | RunState::Ready | RunState::Unready) {
            return;
        }
        let terms = self.terms(means);
        let limit = terms.longest_run().map(|limit| limit.to_string()).unwrap_or_default();
        let reason = format!("it took longer than {limit}");
        if self.status.role == Some(Role::Incoming) {
            return self.fail(Failing::TooLong, &reason, means);
        }
        self.status.reason = Some(format!("{}: {reason}", Failing::TooLong.as_str()));
        self.cause = Some(Cause::Failed(Failing::TooLong));
        self.handle(terms.way_to_end(), means);
        self.changed = true;
    }
}
