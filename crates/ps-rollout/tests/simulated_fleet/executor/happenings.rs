//! Events of runs, and what the rollout is told about them.

use ps_rollout::{Event, Lane, Revision, Run, State};

use super::{Simulation, Thing};
use crate::fleet::{Body, Checks};
use crate::laws::Lawful;
use crate::sabotage::Sabotage;
use crate::scenario::SECOND;

impl Simulation<'_> {
    pub(super) fn answer(&mut self, event: Event) -> Lawful {
        match &event {
            Event::Ready(run) => {
                let body = self.fleet.bodies.get_mut(&run.number);
                if body.as_ref().is_some_and(|body| !body.is_alive) {
                    return Ok(());
                }
                if let Some(body) = body {
                    body.was_ready = true;
                }
                self.book.coming.remove(&run.number);
            }
            Event::NotReady { run, .. } => self.excuse(run, false),
            _ => (),
        }
        // An executor that takes over repeats orders that may have been carried out, so an answer can come
        // twice.
        if self.dice.chance(2) {
            self.later(10, Thing::Answer(event.clone()));
        }
        self.deliver(event).map(|_| ())
    }

    pub(super) fn bear(&mut self, run: Run, revision: Revision, lane: Lane) -> Lawful {
        let lane = if self.sabotage == Some(Sabotage::KnowsOneLane) { Lane::Own } else { lane };
        let body = Body::born(run.clone(), lane, revision, self.now, &mut self.dice);
        if body.checks == Checks::Hang {
            self.excuse(&run, false);
        }
        self.fleet.bodies.insert(run.number, body);
        if self.dice.chance(4) {
            self.later(30, Thing::Dies(run.number));
        } else if self.scenario.is_to_end(&run.slot) {
            // One in 20 runs is never done.
            if self.dice.chance(5) {
                self.excuse(&run, false);
            } else {
                self.later(20, Thing::Finishes(run.number));
            }
        }
        if self.is_dead { Ok(()) } else { self.deliver(Event::Started(run)).map(|_| ()) }
    }

    pub(super) fn die(&mut self, number: u64) -> Lawful {
        let has_finished = self.dice.chance(25);
        let Some(body) = self.fleet.bodies.get_mut(&number).filter(|body| body.is_alive) else {
            return Ok(());
        };
        if body.is_told {
            // The main process of the run ends first, and the rest of its tree lives on for a while.
            let (run, how) = (body.run.clone(), "signal 15".to_owned());
            return if self.is_dead { Ok(()) } else { self.deliver(Event::Died { run, how }).map(|_| ()) };
        }
        if has_finished && self.scenario.is_to_end(&body.run.slot) {
            return self.finish(number);
        }
        body.is_alive = false;
        body.has_finished = has_finished;
        let (run, was_serving) = (body.run.clone(), body.is_served);
        // A job that is done leaves its slot empty, as planned.
        let is_done = has_finished && self.book.proven.contains(&run.slot);
        self.excuse(&run, was_serving || is_done);
        if !has_finished {
            self.later(10, Thing::Respawns(number));
        }
        if self.is_dead {
            return Ok(());
        }
        if !has_finished {
            let how = "exit status 1".to_owned();
            return self.deliver(Event::Died { run, how }).map(|_| ());
        }
        let is_old = self.fleet.bodies[&number].revision == Revision::Old;
        if self.deliver(Event::Ended(run.clone()))? && is_old {
            self.book.finished.insert(run.slot);
        }
        Ok(())
    }

    /// The run ends with success, which other types wait for.
    pub(super) fn finish(&mut self, number: u64) -> Lawful {
        let Some(body) = self.fleet.bodies.get_mut(&number).filter(|body| body.is_alive && !body.is_told)
        else {
            return Ok(());
        };
        (body.is_alive, body.has_finished) = (false, true);
        let (run, is_old) = (body.run.clone(), body.revision == Revision::Old);
        self.book.coming.remove(&number);
        self.book.excused.insert(run.slot.clone());
        if !is_old {
            self.book.proven.insert(run.slot.clone());
        }
        if self.is_dead || !self.deliver(Event::Ended(run.clone()))? {
            // Nobody saw how the run ended.
            self.book.had_trouble = true;
        } else if is_old {
            self.book.finished.insert(run.slot);
        }
        Ok(())
    }

    pub(super) fn empty(&mut self, number: u64) -> Lawful {
        let Some(body) = self.fleet.bodies.get_mut(&number).filter(|body| body.is_alive) else {
            return Ok(());
        };
        (body.is_alive, body.is_served) = (false, false);
        let run = body.run.clone();
        if self.is_dead { Ok(()) } else { self.deliver(Event::Ended(run)).map(|_| ()) }
    }

    /// Until the new revision is recorded, restart policies apply only to runs of the old one.
    pub(super) fn respawn(&mut self, number: u64) -> Lawful {
        let recorded = self.fleet.recorded;
        let body = self.fleet.bodies.get_mut(&number).expect("what respawns has lived");
        let is_owned = body.revision == Revision::Old || recorded == Revision::New;
        if body.is_alive || body.is_told || body.is_forgotten || body.has_finished || !is_owned {
            return Ok(());
        }
        let died = body.run.clone();
        if self.keeps_numbers {
            (body.is_alive, body.was_ready, body.born) = (true, true, self.now);
            return self.tell_of_respawn(died.clone(), died);
        }
        if self.is_dead {
            self.agenda.push((self.now + SECOND, Thing::Respawns(number)));
            return Ok(());
        }
        let number = self.rollout.take_number();
        self.written = self.rollout.clone();
        let run = Run { slot: died.slot.clone(), number };
        let mut next = Body { run: run.clone(), is_alive: true, ..body.clone() };
        (next.born, next.was_ready, body.is_forgotten) = (self.now, true, true);
        self.fleet.bodies.insert(number, next);
        if self.fleet.record.get(&died.slot) == Some(&died.number) {
            self.fleet.record.insert(died.slot.clone(), number);
        }
        self.tell_of_respawn(died, run)
    }

    pub(super) fn tell_of_respawn(&mut self, died: Run, run: Run) -> Lawful {
        if self.is_dead { Ok(()) } else { self.deliver(Event::Respawned { died, run }).map(|_| ()) }
    }

    /// If a request is lost because the executor dies, the person repeats it.
    pub(super) fn ask(&mut self, event: Event) -> Lawful {
        if self.is_dead {
            self.agenda.push((self.now + SECOND, Thing::Asks(event)));
            return Ok(());
        }
        self.book.had_trouble = true;
        if let Event::Stopped(slot) = &event {
            self.book.stopped.insert(slot.clone());
            self.book.excused.insert(slot.clone());
            if !self.deliver(event.clone())? {
                self.book.stopped.remove(slot);
                self.agenda.push((self.now + SECOND, Thing::Asks(event)));
            }
            return Ok(());
        }
        let is_in_time = self.rollout.state() == State::Rolling && !self.book.is_committing;
        let is_deaf = self.sabotage == Some(Sabotage::IgnoresCancel);
        if is_deaf || self.deliver(event)? {
            self.book.was_cancelled |= is_in_time;
        }
        Ok(())
    }
}
