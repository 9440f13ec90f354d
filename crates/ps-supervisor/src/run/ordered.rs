//! The orders to a run: to end, to end sooner, to get a signal.

use os_process::Census;
use rustix::process::Signal;

use super::Run;
use super::end::Cause;
use crate::means::Means;
use crate::process::Process;
use crate::run_table::{RunEvent, RunState};

impl Run {
    /// Begins to end the run, if it lives. Whether its end has to be waited for.
    pub(crate) fn end(&mut self, means: &mut Means) -> bool {
        self.cause = Some(Cause::Asked);
        let event = self.terms(means).way_to_end();
        self.handle(event, means);
        self.state.is_live()
    }

    /// Kills a run that is ending without waiting for the rest of its grace period.
    pub(crate) fn hurry(&mut self, means: &mut Means) {
        if self.state == RunState::StopCommand {
            self.handle(RunEvent::Due, means);
        }
        if self.state.is_ending() {
            self.handle(RunEvent::Due, means);
        }
    }

    /// Sends a signal to every process of the tree.
    pub(crate) fn signal(&self, signal: Signal, census: &mut Census) {
        if self.state.is_live() {
            self.tree.signal(self.process.as_ref().map(Process::pid), signal, census);
        }
    }
}
