//! Reports the progress of a rollout to the requester.

use formation::{Slot, State};
use ps_rollout::{Event, Run};
use ps_scheduler::{Progress, Requester};

use super::Executor;

impl Executor<'_> {
    /// Reports a new run. For runs that an earlier executor began only the outcome is reported.
    pub(super) fn tell(&self, run: &Run, progress: fn(Slot) -> Progress, requester: &mut Requester<'_>) {
        if run.number >= self.first_run && self.containers.fresh.is_some() {
            (requester.tell)(progress(run.slot.clone()));
        }
    }

    pub(super) fn tell_of(&self, event: &Event, requester: &mut Requester<'_>) {
        match event {
            Event::Started(run) => self.tell(run, Progress::Started, requester),
            Event::StartRefused { run, reason }
            | Event::NotReady { run, reason }
            | Event::NotAdmitted { run, reason }
            | Event::Died { run, how: reason } => {
                self.tell_now(run, State::Crashed, Some(reason), requester);
            }
            Event::Ended(run) => self.tell_now(run, State::Stopped, None, requester),
            Event::Ready(run) => self.tell_now(run, State::Running, None, requester),
            _ => (),
        }
    }

    /// The current step of a run, for displays that show each instance.
    pub(super) fn tell_now(
        &self,
        run: &Run,
        state: State,
        note: Option<&String>,
        requester: &mut Requester<'_>,
    ) {
        if self.containers.fresh.is_some() {
            let Run { slot, number } = run.clone();
            (requester.tell)(Progress::Now { slot, run: Some(number), state, note: note.cloned() });
        }
    }
}
