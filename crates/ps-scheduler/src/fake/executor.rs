//! Executes rollouts; every action is done at once.

use std::collections::VecDeque;

use formation::AppName;
use ps_rollout::{Action, Event, Outcome, Revision, Rollout, Run};

use super::Fake;
use super::app::{App, Life};
use crate::Progress;
use crate::scheduler::Requester;

impl Fake {
    /// Executes the app's rollout from these events to its end. A receiver of progress messages may look at the app
    /// meanwhile.
    pub(super) fn carry_out(
        &self,
        name: &AppName,
        events: Vec<Event>,
        requester: &mut Requester<'_>,
    ) -> Outcome {
        let _held = self.hold(name);
        let mut events = VecDeque::from(events);
        let mut is_told_to_cancel = false;
        loop {
            if !is_told_to_cancel && requester.cancel.check().is_err() {
                is_told_to_cancel = true;
                events.push_back(Event::Cancel);
            }
            if events.is_empty() {
                self.await_others();
            }
            events.extend(self.with(name, App::take_stops));
            let event = events.pop_front().unwrap_or_else(|| self.with(name, wait));
            for action in self.with(name, |app| app.handle(event)) {
                self.take_step();
                let (event, progress) = self.with(name, |app| act(app, action));
                events.extend(event);
                if let Some(progress) = progress {
                    (requester.tell)(progress);
                }
                self.take_step();
            }
            if let Some(outcome) = self.with(name, App::conclusion) {
                return outcome;
            }
        }
    }
}

/// Advances the time to the next deadline or minimum life.
fn wait(app: &mut App) -> Event {
    let due = app.rollout.as_ref().and_then(Rollout::due);
    app.now = due.expect("a rollout that is told everything waits for nothing but time");
    Event::Tick
}

/// Does an action. Returns the event for the rollout, and the progress message.
fn act(app: &mut App, action: Action) -> (Option<Event>, Option<Progress>) {
    match action {
        Action::Start { run, revision, lane } => {
            let release = app.version(revision).release;
            app.lives.entry(run.clone()).or_insert(Life { lane, revision, release });
            let slot = run.slot.clone();
            (Some(Event::Started(run)), Some(Progress::Started(slot)))
        }
        Action::Probe(run) => probe(app, run),
        Action::Admit(run) => (Some(Event::Admitted(run)), None),
        Action::Withdraw(run) => (Some(Event::Withdrawn(run)), None),
        Action::End(run) => {
            let ended = app.lives.remove(&run).map(|_| Progress::Ended(run.slot.clone(), None));
            (Some(Event::Ended(run)), ended)
        }
        Action::Forget(_) => (None, None),
        Action::Commit(runs) => {
            app.write_record(Revision::New, runs);
            (Some(Event::Recorded(Revision::New)), None)
        }
        Action::PutBack(runs) => {
            app.write_record(Revision::Old, runs);
            (Some(Event::Recorded(Revision::Old)), None)
        }
    }
}

fn probe(app: &App, run: Run) -> (Option<Event>, Option<Progress>) {
    let revision = app.lives.get(&run).map_or(Revision::New, |life| life.revision);
    if app.version(revision).bad.contains(run.slot.process_type.as_str()) {
        return (Some(Event::NotReady { run, reason: "is bad".to_owned() }), None);
    }
    let slot = run.slot.clone();
    (Some(Event::Ready(run)), Some(Progress::Ready(slot)))
}
