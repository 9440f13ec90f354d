//! An executor that carries a rollout out on the simulated fleet by a simulated clock, dies and is succeeded, is told
//! to cancel and to stop slots, and may be broken on purpose.

use std::time::Duration;

use ps_rollout::{
    Action, Condition, Event, Lane, Observed, Outcome, Revision, Rollout, Run, State, Strategy,
};

use crate::dice::Dice;
use crate::fleet::{Body, Checks, Fleet};
use crate::laws::{Book, Lawful, Laws};
use crate::sabotage::Sabotage;
use crate::scenario::{SECOND, Scenario};

/// More than any rollout of this size takes.
const MOST_STEPS: usize = 3_000;

/// Something that will happen.
#[derive(Clone, Debug)]
enum Thing {
    /// The executor hears of something.
    Answer(Event),
    /// A run comes to life.
    Born { run: Run, revision: Revision, lane: Lane },
    /// A run ends by itself.
    Dies(u64),
    /// A run that was told to end has ended.
    Empties(u64),
    /// The restart policy starts again what died.
    Respawns(u64),
    /// A person asks for something.
    Asks(Event),
    /// Another executor takes over from one that died.
    TakesOver,
}

/// How a rollout ended, and what it was doing each time another executor took over.
pub(crate) struct End {
    pub(crate) outcome: Outcome,
    pub(crate) takeovers: Vec<State>,
}

pub(crate) struct Simulation<'a> {
    dice: Dice<'a>,
    scenario: &'a Scenario,
    sabotage: Option<Sabotage>,
    fleet: Fleet,
    book: Book,
    rollout: Rollout,
    /// The rollout as it was last written down.
    written: Rollout,
    now: Duration,
    agenda: Vec<(Duration, Thing)>,
    is_dead: bool,
    has_leftover: bool,
    deaths: usize,
    takeovers: Vec<State>,
    /// Whether a restart policy starts the same run again, as an engine of containers does.
    keeps_numbers: bool,
    /// What happened, for whoever has to understand a failure.
    story: Option<&'a mut Vec<String>>,
}

impl<'a> Simulation<'a> {
    pub(crate) fn new(
        scenario: &'a Scenario,
        mut dice: Dice<'a>,
        sabotage: Option<Sabotage>,
        story: Option<&'a mut Vec<String>>,
    ) -> Self {
        let rollout = Rollout::new(&Sabotage::plan(sabotage, &scenario.plan));
        let rollout = if scenario.is_each_for_itself { rollout.each_for_itself() } else { rollout };
        let mut fleet = Fleet {
            bodies: std::collections::BTreeMap::new(),
            record: std::collections::BTreeMap::new(),
            recorded: Revision::Old,
        };
        let mut book = Book::default();
        for (slot, planned) in &scenario.slots {
            let Some(present) = &planned.present else { continue };
            let run = Run { slot: slot.clone(), number: present.number };
            let mut body = Body::present(run, present.lane, present.is_up);
            body.is_stubborn = dice.chance(2);
            fleet.bodies.insert(present.number, body);
            fleet.record.insert(slot.clone(), present.number);
            if !present.is_up {
                book.excused.insert(slot.clone());
            }
        }
        let written = rollout.clone();
        let mut simulation = Self {
            dice,
            scenario,
            sabotage,
            fleet,
            book,
            rollout,
            written,
            now: SECOND,
            agenda: Vec::new(),
            is_dead: false,
            has_leftover: false,
            deaths: 0,
            takeovers: Vec::new(),
            keeps_numbers: false,
            story,
        };
        simulation.deal();
        simulation
    }

    /// Decides what befalls the app from outside.
    fn deal(&mut self) {
        self.keeps_numbers = self.dice.chance(50);
        for number in self.fleet.bodies.keys().copied().collect::<Vec<_>>() {
            if !self.fleet.bodies[&number].is_alive {
                self.later(20, Thing::Respawns(number));
            } else if self.dice.chance(4) {
                self.later(40, Thing::Dies(number));
            }
        }
        if self.dice.chance(8) {
            self.leave_something();
        }
        if self.dice.chance(12) {
            self.later(40, Thing::Asks(Event::Cancel));
        }
        for slot in self.scenario.slots.keys() {
            if self.dice.chance(4) {
                self.later(40, Thing::Asks(Event::Stopped(slot.clone())));
            }
        }
    }

    /// A run of an earlier rollout of which nothing was written down.
    fn leave_something(&mut self) {
        let count = u64::try_from(self.scenario.slots.len()).unwrap_or(u64::MAX);
        let index = usize::try_from(self.dice.below(count)).unwrap_or(0);
        let Some((slot, planned)) = self.scenario.slots.iter().nth(index) else { return };
        let lane = match planned.present.as_ref().map(|present| present.lane) {
            Some(Lane::Own) => Lane::Second,
            Some(Lane::Second) | None => Lane::Own,
        };
        let number = self.scenario.plan.next_number;
        let run = Run { slot: slot.clone(), number };
        self.fleet.bodies.insert(number, Body::leftover(run, lane));
        self.has_leftover = true;
    }

    /// Puts something on the agenda, at most `most` half seconds from now.
    fn later(&mut self, most: u64, thing: Thing) {
        let halves = u32::try_from(self.dice.below(most + 1)).unwrap_or(0);
        self.agenda.push((self.now + SECOND * halves / 2, thing));
    }

    /// Carries the rollout out to its end and says how it ended; an error names the law that was broken.
    pub(crate) fn run(mut self) -> Result<End, String> {
        if self.has_leftover {
            let observed = self.observe(None);
            self.deliver(Event::Resumed(observed))?;
        }
        if !self.is_dead {
            self.deliver(Event::Begin)?;
        }
        for _ in 0..MOST_STEPS {
            self.laws().always()?;
            if let Some(outcome) = self.rollout.outcome().filter(|_| !self.is_dead) {
                self.laws().finally(self.rollout.state(), &outcome, self.now)?;
                return Ok(End { outcome, takeovers: self.takeovers });
            }
            self.step()?;
        }
        Err(format!("it never ends: {:?}", self.rollout))
    }

    fn laws(&self) -> Laws<'_> {
        Laws { scenario: self.scenario, fleet: &self.fleet, book: &self.book }
    }

    fn step(&mut self) -> Lawful {
        let next = (0..self.agenda.len()).min_by_key(|index| self.agenda[*index].0);
        let has_timers = !self.is_dead && self.sabotage != Some(Sabotage::HasNoTimers);
        let due = self.rollout.due().filter(|_| has_timers);
        match (next.map(|index| (self.agenda[index].0, index)), due) {
            (None, None) => Err(format!("it never ends: nothing will happen to {:?}", self.rollout)),
            (Some((at, index)), due) if due.is_none_or(|due| at <= due) => {
                self.now = self.now.max(at);
                let (_, thing) = self.agenda.remove(index);
                self.happen(thing)
            }
            (_, Some(due)) => {
                self.now = self.now.max(due);
                self.deliver(Event::Tick).map(|_| ())
            }
            (Some(_), None) => unreachable!("taken by the guard above"),
        }
    }

    fn tell(&mut self, line: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            story.push(format!("{:>5.1} s  {}", self.now.as_secs_f32(), line()));
        }
    }

    fn happen(&mut self, thing: Thing) -> Lawful {
        self.tell(|| format!("{thing:?}"));
        match thing {
            Thing::Answer(event) => self.answer(event),
            Thing::Born { run, revision, lane } => self.bear(run, revision, lane),
            Thing::Dies(number) => self.die(number),
            Thing::Empties(number) => self.empty(number),
            Thing::Respawns(number) => self.respawn(number),
            Thing::Asks(event) => self.ask(event),
            Thing::TakesOver => self.take_over(),
        }
    }

    /// Tells the engine, unless the executor dies before it has written down what follows. Says whether it was written.
    fn deliver(&mut self, event: Event) -> Result<bool, String> {
        self.prove();
        if self.dice.chance(1) {
            self.executor_dies();
            return Ok(false);
        }
        let mut actions = self.rollout.handle(event, self.now);
        Sabotage::spoil(self.sabotage, self.scenario, &mut actions);
        let state = self.rollout.state();
        self.tell(|| format!("  {state:?}, wants {actions:?}"));
        let starts_new = |action: &Action| matches!(action, Action::Start { revision: Revision::New, .. });
        if state == State::PuttingBack && actions.iter().any(starts_new) {
            return Err(format!("a new run is started although all is put back: {actions:?}"));
        }
        self.written = self.rollout.clone();
        self.note_orders(&actions)?;
        for action in actions {
            if self.dice.chance(1) {
                self.executor_dies();
                return Ok(true);
            }
            self.act(action)?;
        }
        Ok(true)
    }

    /// Judges what is wanted, whether or not the executor lives to do it.
    fn note_orders(&mut self, actions: &[Action]) -> Lawful {
        for action in actions {
            match action {
                Action::Withdraw(run) => self.laws().may_touch(run)?,
                Action::End(run) => {
                    self.laws().may_touch(run)?;
                    self.laws().may_be_told_to_end(run, self.rollout.state())?;
                    self.book.told.insert(run.number);
                }
                Action::Start { run, revision: Revision::Old, .. } => self.laws().may_return(run)?,
                Action::Commit(runs) => {
                    runs.iter().try_for_each(|run| self.laws().may_be_recorded(run, self.now))?;
                    self.book.is_committing = true;
                }
                _ => (),
            }
        }
        Ok(())
    }

    /// Notes which slots have passed the gate by now, whatever the engine thinks.
    fn prove(&mut self) {
        for body in self.fleet.alive().filter(|body| body.revision == Revision::New && body.was_ready) {
            let minimum_life = self.scenario.slots[&body.run.slot].rules.minimum_life;
            if self.now >= body.born + minimum_life {
                self.book.proven.insert(body.run.slot.clone());
            }
        }
    }

    /// A slot that lost its run although nobody wanted that is not the rollout's to answer for.
    fn excuse(&mut self, run: &Run, was_serving: bool) {
        self.book.had_trouble = true;
        self.book.coming.remove(&run.number);
        let is_overlap = self.scenario.slots[&run.slot].rules.strategy == Strategy::Overlap;
        if was_serving || (!is_overlap && self.laws().is_gate_passed()) {
            self.book.excused.insert(run.slot.clone());
        }
    }
}

// What the engine wants.
impl Simulation<'_> {
    fn act(&mut self, action: Action) -> Lawful {
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

    fn start(&mut self, run: Run, revision: Revision, lane: Lane) {
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

    fn is_on_its_way(&self, run: &Run) -> bool {
        self.agenda.iter().any(|(_, thing)| matches!(thing, Thing::Born { run: born, .. } if born == run))
    }

    fn probe(&mut self, run: Run) {
        let Some(body) = self.fleet.bodies.get(&run.number) else {
            // Only an executor that was broken on purpose is asked about what it never started.
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

    fn admit(&mut self, run: Run) {
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

    fn end(&mut self, run: Run) {
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

    fn record(&mut self, revision: Revision, runs: &[Run]) {
        if self.dice.chance(2) {
            self.book.had_trouble = true;
            let reason = "no space left on device".to_owned();
            return self.later(2, Thing::Answer(Event::NotRecorded { revision, reason }));
        }
        if self.sabotage != Some(Sabotage::RecordsNothing) {
            self.fleet.record = runs.iter().map(|run| (run.slot.clone(), run.number)).collect();
            self.fleet.recorded = revision;
        }
        self.later(2, Thing::Answer(Event::Recorded(revision)));
    }
}

// What happens by itself.
impl Simulation<'_> {
    fn answer(&mut self, event: Event) -> Lawful {
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
        // Whoever takes over orders again what may have been done, so that an answer can come twice.
        if self.dice.chance(2) {
            self.later(10, Thing::Answer(event.clone()));
        }
        self.deliver(event).map(|_| ())
    }

    fn bear(&mut self, run: Run, revision: Revision, lane: Lane) -> Lawful {
        let lane = if self.sabotage == Some(Sabotage::KnowsOneLane) { Lane::Own } else { lane };
        let body = Body::born(run.clone(), lane, revision, self.now, &mut self.dice);
        if body.checks == Checks::Hang {
            self.excuse(&run, false);
        }
        self.fleet.bodies.insert(run.number, body);
        if self.dice.chance(4) {
            self.later(30, Thing::Dies(run.number));
        }
        if self.is_dead { Ok(()) } else { self.deliver(Event::Started(run)).map(|_| ()) }
    }

    fn die(&mut self, number: u64) -> Lawful {
        let has_finished = self.dice.chance(25);
        let Some(body) = self.fleet.bodies.get_mut(&number).filter(|body| body.is_alive) else {
            return Ok(());
        };
        if body.is_told {
            // Its main process ends first, and the rest of its tree lives on for a while.
            let (run, how) = (body.run.clone(), "signal 15".to_owned());
            return if self.is_dead { Ok(()) } else { self.deliver(Event::Died { run, how }).map(|_| ()) };
        }
        body.is_alive = false;
        body.has_finished = has_finished;
        let (run, was_serving) = (body.run.clone(), body.is_served);
        // A job that is done leaves its slot empty, and that is as it should be.
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

    fn empty(&mut self, number: u64) -> Lawful {
        let Some(body) = self.fleet.bodies.get_mut(&number).filter(|body| body.is_alive) else {
            return Ok(());
        };
        (body.is_alive, body.is_served) = (false, false);
        let run = body.run.clone();
        if self.is_dead { Ok(()) } else { self.deliver(Event::Ended(run)).map(|_| ()) }
    }

    /// Until the new revision is recorded only what is of the old one is in the hands of a restart policy.
    fn respawn(&mut self, number: u64) -> Lawful {
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

    fn tell_of_respawn(&mut self, died: Run, run: Run) -> Lawful {
        if self.is_dead { Ok(()) } else { self.deliver(Event::Respawned { died, run }).map(|_| ()) }
    }

    /// A person whose request is lost with the executor asks again.
    fn ask(&mut self, event: Event) -> Lawful {
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

// Death of the executor.
impl Simulation<'_> {
    /// What it was about to hear is lost; what it had set going goes on or is lost too.
    fn executor_dies(&mut self) {
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

    /// Everything dies, and the clock begins anew.
    fn machine_restarts(&mut self) {
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

    fn take_over(&mut self) -> Lawful {
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

    fn observe(&mut self, forgotten: Option<u64>) -> Vec<Observed> {
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
