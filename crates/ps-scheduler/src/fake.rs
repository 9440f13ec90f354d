//! A scheduler in memory, for tests of programs and of the conformance suite. It executes rollouts like the real ones: each
//! step is recorded before it is taken, so that after the caller's death the next one continues, and a stop that another
//! program requests meanwhile is taken into the rollout.

mod app;
mod executor;
mod others;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use formation::{AppName, Exit, Slot};
use ps_rollout::{Event, Strategy};

use self::app::App;
use crate::failure::conclude;
use crate::output::{LogRequest, LogSink};
use crate::scheduler::{DeployOutcome, Progress, Requester, Scheduler, StopOrder, Stopped};
use crate::{AppStatus, Error, Instance, Plan, Source};

/// The name of an image that does not exist.
const NO_IMAGE: &str = "none";

/// Instances in memory; a pid is the number of a run. An instance with the command `bad` never passes its gate, and the
/// image `none` does not exist.
#[derive(Debug, Default)]
pub struct Fake {
    shared: Arc<Shared>,
    /// After how many more steps of a rollout the caller dies; `None`: it does not die.
    steps_left: Cell<Option<usize>>,
    /// Whether this value belongs to another program, which has not asked for anything yet.
    is_awaited: Cell<bool>,
}

/// What all programs that use the scheduler share.
#[derive(Debug, Default)]
struct Shared {
    everything: Mutex<Everything>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Everything {
    apps: BTreeMap<AppName, App>,
    /// How many programs are about to ask for something. Simulated time does not advance until they have.
    awaited: usize,
}

impl Fake {
    /// A scheduler without apps.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next caller dies before the step of a rollout with this number, counted from 0, by a panic that undoes nothing.
    /// An action has two steps: executing it, and recording its result.
    pub fn caller_dies_at(&self, step: usize) {
        self.steps_left.set(Some(step));
    }

    /// From now on no caller dies.
    pub fn callers_live(&self) {
        self.steps_left.set(None);
    }

    /// The pids of all living instances, recorded or not.
    pub fn alive(&self, app: &AppName) -> BTreeSet<u64> {
        self.everything().apps.get(app).map(App::alive).unwrap_or_default()
    }

    fn take_step(&self) {
        let left = self.steps_left.get();
        if left == Some(0) {
            self.steps_left.set(None);
            resume_unwind(Box::new("the caller of the fake scheduler dies here"));
        }
        self.steps_left.set(left.map(|left| left - 1));
    }

    /// Undoes the rollout of a dead caller, unless it is committed. Slots for which `is_stopped` is true stay empty.
    fn undo_interrupted(
        &self,
        name: &AppName,
        is_stopped: impl Fn(&Slot) -> bool,
        requester: &mut Requester<'_>,
    ) {
        let Some(observed) = self.with(name, |app| app.observed()) else { return };
        let slots = self.with(name, |app| app.slots());
        let stopped = slots.into_iter().filter(|slot| is_stopped(slot)).map(Event::Stopped);
        let events = [Event::Resumed(observed)].into_iter().chain(stopped).chain([Event::Cancel]);
        self.carry_out(name, events.collect(), requester);
    }

    fn everything(&self) -> MutexGuard<'_, Everything> {
        self.shared.everything.lock().expect("nobody dies while he changes something")
    }

    fn with<T>(&self, name: &AppName, act: impl FnOnce(&mut App) -> T) -> T {
        let done = act(self.everything().apps.entry(name.clone()).or_default());
        self.shared.changed.notify_all();
        done
    }
}

impl Scheduler for Fake {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn usual_strategy(&self) -> Strategy {
        Strategy::Overlap
    }

    fn status(&self, apps: &[AppName]) -> Result<Vec<AppStatus>, Error> {
        let everything = self.everything();
        let instances = |app: &AppName| everything.apps.get(app).map(App::instances).unwrap_or_default();
        let status = |app: &AppName| AppStatus::of(app.clone(), instances(app));
        Ok(apps.iter().map(status).collect())
    }

    fn deploy(&self, plan: &Plan, requester: &mut Requester<'_>) -> Result<DeployOutcome, Error> {
        requester.cancel.check()?;
        let name = &plan.release.app;
        if plan.release.source == Source::Image(NO_IMAGE.to_owned()) {
            let reason = format!("there is no image {NO_IMAGE}");
            return Err(Error::Backend { context: format!("deploy {name}"), reason });
        }
        self.undo_interrupted(name, |_| false, requester);
        self.with(name, |app| app.begin(plan));
        let outcome = self.carry_out(name, vec![Event::Begin], requester);
        conclude(name, outcome, requester)
    }

    fn stop(&self, order: &StopOrder, requester: &mut Requester<'_>) -> Result<Stopped, Error> {
        let mut stopped = match self.have_taken_in(order) {
            Some(stopped) if !order.remove => return Ok(stopped),
            taken => taken.unwrap_or_default(),
        };
        if !self.everything().apps.contains_key(&order.app) {
            return Ok(stopped);
        }
        self.undo_interrupted(&order.app, |slot| order.which.includes(slot), requester);
        for slot in self.with(&order.app, |app| app.stop(&order.which, order.remove)) {
            (requester.tell)(Progress::Ended(slot.clone(), Some(Exit::Signal(15))));
            stopped.ended.push((slot, Some(Exit::Signal(15))));
        }
        Ok(stopped)
    }

    fn stop_beside(&self, order: &StopOrder, _: &mut Requester<'_>) -> Result<Option<Stopped>, Error> {
        Ok(self.have_taken_in(order))
    }

    fn inspect(&self, app: &AppName) -> Result<serde_json::Value, Error> {
        let everything = self.everything();
        let app = everything.apps.get(app).ok_or_else(|| Error::NotDeployed { app: app.clone() })?;
        let name = |instance: &Instance| serde_json::json!({ "Name": instance.slot.to_string() });
        Ok(app.instances().iter().map(name).collect())
    }

    fn logs(&self, _: &LogRequest, _: &mut dyn LogSink) -> Result<(), Error> {
        Ok(())
    }

    fn retire(&self, _: Option<&AppName>) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests;
