//! The executor dies, or the machine, and the next one takes over.

use ps_rollout::{Condition, Event, Observed, Run, State};

use super::{Simulation, Thing};
use crate::fleet::Checks;
use crate::laws::Lawful;
use crate::sabotage::Sabotage;
use crate::scenario::SECOND;

impl Simulation<'_> {
    /// Events on their way to the executor are lost. Actions that it has begun continue or are lost, too.
    pub(super) fn executor_dies(&mut self) {
        self.tell(|| "the executor dies".to_owned());
        self.is_dead = true;
        self.deaths += 1;
        self.book.had_trouble |= self.deaths > 2;
        let mut kept = Vec::new();
        for (at, thing) in std::mem::take(&mut self.agenda) {
            let is_lost = match thing {
                Thing::Answer(_) => true,
                Thing::Born { .. } => self.dice.chance(50),
                Thing::Dies(_)
                | Thing::Finishes(_)
                | Thing::Empties(_)
                | Thing::Respawns(_)
                | Thing::Asks(_)
                | Thing::TakesOver => false,
            };
            if !is_lost {
                kept.push((at, thing));
            }
        }
        self.agenda = kept;
        self.later(10, Thing::TakesOver);
        if self.dice.chance(5) {
            self.machine_restarts();
        }
    }

    /// All runs die, and the clock begins anew.
    pub(super) fn machine_restarts(&mut self) {
        let dead: Vec<Run> = self.fleet.alive().map(|body| body.run.clone()).collect();
        for run in dead {
            self.excuse(&run, true);
            let body = self.fleet.bodies.get_mut(&run.number).expect("it lived a moment ago");
            body.is_alive = false;
        }
        for slot in self.scenario.slots.keys() {
            self.book.excused.insert(slot.clone());
        }
        self.book.had_trouble = true;
        self.book.coming.clear();
        self.now = SECOND;
        self.agenda.retain(|(_, thing)| matches!(thing, Thing::Asks(_)));
        self.agenda.iter_mut().for_each(|(at, _)| *at = SECOND * 2);
        self.later(10, Thing::TakesOver);
        for number in self.fleet.bodies.keys().copied().collect::<Vec<_>>() {
            self.later(20, Thing::Respawns(number));
        }
    }

    pub(super) fn take_over(&mut self) -> Lawful {
        self.is_dead = false;
        let mut text = serde_json::to_string(&self.written).expect("a rollout can be written");
        let forgotten = Sabotage::forget(self.sabotage, &mut text);
        self.rollout = serde_json::from_str(&text).expect("what was written can be read");
        if forgotten.is_none() && self.rollout != self.written {
            return Err(format!("it reads back as another: {text}"));
        }
        self.takeovers.push(self.rollout.state());
        let observed = self.observe(forgotten);
        self.tell(|| format!("  found {observed:?}"));
        self.deliver(Event::Resumed(observed))?;
        if self.rollout.state() == State::Idle && !self.is_dead {
            self.deliver(Event::Begin)?;
        }
        Ok(())
    }

    pub(super) fn observe(&mut self, forgotten: Option<u64>) -> Vec<Observed> {
        let mut observed = Vec::new();
        for body in self.fleet.bodies.values_mut().filter(|body| !body.is_forgotten) {
            let holds = matches!(body.checks, Checks::HoldAt(at) if at <= self.now);
            let condition = match (body.is_alive, holds && self.dice.chance(50)) {
                (true, true) => Condition::Ready,
                (true, false) => Condition::Up,
                (false, _) => Condition::Over,
            };
            if condition == Condition::Ready {
                body.was_ready = true;
                self.book.coming.remove(&body.run.number);
            }
            let (run, lane, revision) = (body.run.clone(), body.lane, body.revision);
            if forgotten != Some(run.number) {
                observed.push(Observed { run, lane, revision, condition });
            }
        }
        observed
    }
}
