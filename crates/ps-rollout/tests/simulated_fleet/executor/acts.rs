//! Carries out the actions that the rollout orders.

use ps_rollout::{Action, Event, Lane, Revision, Run};

use super::{Simulation, Thing};
use crate::fleet::Checks;
use crate::laws::Lawful;
use crate::sabotage::Sabotage;

impl Simulation<'_> {
    pub(super) fn act(&mut self, action: Action) -> Lawful {
        match action {
            Action::Start { run, revision, lane } => self.start(run, revision, lane),
            Action::Probe(run) => self.probe(run),
            Action::Admit(run) => self.admit(run),
            Action::Withdraw(run) => {
                if let Some(body) = self.fleet.bodies.get_mut(&run.number) {
                    body.is_served = false;
                }
                self.later(4, Thing::Answer(Event::Withdrawn(run)));
            }
            Action::End(run) => self.end(run),
            Action::Forget(run) => {
                self.laws().may_forget(&run)?;
                if self.sabotage != Some(Sabotage::NeverForgets)
                    && let Some(body) = self.fleet.bodies.get_mut(&run.number)
                {
                    body.is_forgotten = true;
                }
            }
            Action::Commit(runs) => self.record(Revision::New, &runs),
            Action::PutBack(runs) => self.record(Revision::Old, &runs),
        }
        Ok(())
    }

    pub(super) fn start(&mut self, run: Run, revision: Revision, lane: Lane) {
        if self.sabotage == Some(Sabotage::RestartsNothing) && revision == Revision::Old {
            self.later(2, Thing::Answer(Event::Started(run)));
            return;
        }
        self.book.coming.insert(run.number);
        if let Some(body) = self.fleet.bodies.get(&run.number) {
            let how = "before it was started".to_owned();
            let event = if body.is_alive { Event::Started(run) } else { Event::Died { run, how } };
            self.later(2, Thing::Answer(event));
        } else if !self.is_on_its_way(&run) {
            match self.dice.below(60) {
                58 => {
                    self.excuse(&run, false);
                    self.later(
                        4,
                        Thing::Answer(Event::StartRefused { run, reason: "no such command".to_owned() }),
                    );
                }
                59 => self.excuse(&run, false),
                _ => self.later(4, Thing::Born { run, revision, lane }),
            }
        }
    }

    pub(super) fn is_on_its_way(&self, run: &Run) -> bool {
        self.agenda.iter().any(|(_, thing)| matches!(thing, Thing::Born { run: born, .. } if born == run))
    }

    pub(super) fn probe(&mut self, run: Run) {
        let Some(body) = self.fleet.bodies.get(&run.number) else {
            // Only an executor that was broken on purpose runs the checks of a run that was never started.
            self.later(2, Thing::Answer(Event::Ready(run)));
            return;
        };
        match body.checks {
            Checks::HoldAt(at) => self.agenda.push((at.max(self.now), Thing::Answer(Event::Ready(run)))),
            Checks::FailAt(at) => {
                let event = Event::NotReady { run, reason: "it answered 500".to_owned() };
                self.agenda.push((at.max(self.now), Thing::Answer(event)));
            }
            Checks::Hang => (),
        }
    }

    pub(super) fn admit(&mut self, run: Run) {
        let is_refused = self.dice.chance(1);
        let switches = self.sabotage == Some(Sabotage::SwitchesClients);
        let reason = "the proxy does not answer".to_owned();
        match self.fleet.bodies.get_mut(&run.number).filter(|body| body.is_alive) {
            Some(body) if !is_refused => body.is_served = true,
            Some(_) => {
                self.excuse(&run, false);
                return self.later(4, Thing::Answer(Event::NotAdmitted { run, reason }));
            }
            None => (),
        }
        if switches {
            let others = self.fleet.bodies.values_mut().filter(|body| body.run.slot == run.slot);
            others.filter(|body| body.run != run).for_each(|body| body.is_served = false);
        }
        self.later(4, Thing::Answer(Event::Admitted(run)));
    }

    pub(super) fn end(&mut self, run: Run) {
        self.book.coming.remove(&run.number);
        self.agenda.retain(|(_, thing)| !matches!(thing, Thing::Born { run: born, .. } if *born == run));
        let Some(body) = self.fleet.bodies.get_mut(&run.number) else {
            return self.later(2, Thing::Answer(Event::Ended(run)));
        };
        body.is_told = true;
        if !body.is_alive {
            self.later(2, Thing::Answer(Event::Ended(run)));
        } else if body.is_stubborn {
            self.excuse(&run, false);
            self.later(4, Thing::Answer(Event::Remains { run, reason: "it hangs in the kernel".to_owned() }));
        } else {
            if self.sabotage == Some(Sabotage::SaysEndedTooEarly) {
                self.later(0, Thing::Answer(Event::Ended(run.clone())));
            }
            self.later(10, Thing::Empties(run.number));
        }
    }

    pub(super) fn record(&mut self, revision: Revision, runs: &[Run]) {
        if self.dice.chance(2) {
            self.book.had_trouble = true;
            let reason = "no space left on device".to_owned();
            // A run may also be found dead when it is to be recorded.
            let dead = runs.first().filter(|_| revision == Revision::New && self.dice.chance(50));
            let slot = dead.map(|run| run.slot.clone());
            return self.later(2, Thing::Answer(Event::NotRecorded { revision, slot, reason }));
        }
        if self.sabotage != Some(Sabotage::RecordsNothing) {
            self.fleet.record = runs.iter().map(|run| (run.slot.clone(), run.number)).collect();
            self.fleet.recorded = revision;
        }
        self.later(2, Thing::Answer(Event::Recorded(revision)));
    }
}
