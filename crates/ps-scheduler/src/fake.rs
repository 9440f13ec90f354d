//! A scheduler in memory, for tests of programs and of the conformance suite itself.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

use formation::{Exit, Slot, State};
use ps_rollout::Strategy;

use crate::scheduler::{DeployOutcome, LogLine, LogRequest, Progress, Scheduler, StopOrder, Stopped, Watch};
use crate::{AppStatus, Change, Error, Instance, Plan};

/// Instances that exist in memory only; a pid is a serial number.
#[derive(Debug, Default)]
pub struct Fake {
    apps: RefCell<BTreeMap<String, BTreeMap<Slot, Instance>>>,
    serial: RefCell<u32>,
}

impl Fake {
    /// A scheduler without apps.
    pub fn new() -> Self {
        Self::default()
    }

    fn start(&self, app: &str, slot: &Slot) {
        *self.serial.borrow_mut() += 1;
        let mut instance = Instance::new(slot.clone(), State::Running);
        instance.pid = Some(*self.serial.borrow());
        instance.restarts = Some(0);
        self.apps.borrow_mut().entry(app.to_owned()).or_default().insert(slot.clone(), instance);
    }
}

impl Scheduler for Fake {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn usual_strategy(&self) -> Strategy {
        Strategy::Overlap
    }

    fn status(&self, apps: &[String]) -> Result<Vec<AppStatus>, Error> {
        let known = self.apps.borrow();
        let instances = |app: &String| known.get(app).map(|slots| slots.values().cloned().collect());
        Ok(apps
            .iter()
            .map(|app| AppStatus {
                app: app.clone(),
                instances: instances(app).unwrap_or_default(),
                troubles: Vec::new(),
            })
            .collect())
    }

    fn deploy(&self, plan: &Plan, watch: &mut Watch<'_>) -> Result<DeployOutcome, Error> {
        let mut outcome = DeployOutcome::default();
        for step in &plan.steps {
            watch.cancel.check()?;
            match step.change {
                Change::Keep => outcome.kept.push(step.slot.clone()),
                Change::Start | Change::Replace => {
                    self.start(&plan.release.app, &step.slot);
                    (watch.say)(Progress::Ready(step.slot.clone()));
                    outcome.started.push(step.slot.clone());
                }
                Change::Stop => {
                    if let Some(slots) = self.apps.borrow_mut().get_mut(&plan.release.app) {
                        slots.remove(&step.slot);
                    }
                    outcome.stopped.push(step.slot.clone());
                }
            }
        }
        Ok(outcome)
    }

    fn stop(&self, order: &StopOrder, _: &mut Watch<'_>) -> Result<Stopped, Error> {
        let mut stopped = Stopped::default();
        let mut apps = self.apps.borrow_mut();
        let Some(slots) = apps.get_mut(&order.app) else { return Ok(stopped) };
        for instance in slots.values_mut().filter(|instance| order.which.includes(&instance.slot)) {
            if instance.state.is_alive() {
                instance.state = State::Stopped;
                instance.pid = None;
                instance.last_exit = Some(Exit::Signal(15));
                stopped.ended.push((instance.slot.clone(), instance.last_exit));
            }
        }
        if order.remove {
            slots.retain(|slot, _| !order.which.includes(slot));
        }
        Ok(stopped)
    }

    fn inspect(&self, app: &str) -> Result<serde_json::Value, Error> {
        let apps = self.apps.borrow();
        let slots = apps.get(app).ok_or_else(|| Error::NotDeployed { app: app.to_owned() })?;
        Ok(slots.keys().map(|slot| serde_json::json!({ "Name": slot.to_string() })).collect())
    }

    fn logs(&self, _: &LogRequest, _: &mut dyn FnMut(&LogLine) -> ControlFlow<()>) -> Result<(), Error> {
        Ok(())
    }

    fn retire(&self, _: Option<&str>) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Source, conformance};

    #[test]
    fn the_fake_keeps_the_promises() {
        let source = Source::Image("anything".into());
        conformance::check(
            &Fake::new(),
            &conformance::Subject {
                source,
                command: None,
                restart_policy: formation::RestartPolicy::Always,
                stop_timeout: Duration::from_secs(1),
            },
        );
    }
}
