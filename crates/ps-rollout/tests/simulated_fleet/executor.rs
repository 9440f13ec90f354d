//! An executor that carries out a rollout on the simulated fleet with a simulated clock. It dies and has successors, is
//! told to cancel and to stop slots, and may be broken on purpose.

mod acts;
mod deaths;
mod happenings;

use std::time::Duration;

use ps_rollout::{Action, Event, Lane, Outcome, Revision, Rollout, Run, State, Strategy};

use crate::dice::Dice;
use crate::fleet::{Body, Fleet};
use crate::laws::{Book, Lawful, Laws};
use crate::sabotage::Sabotage;
use crate::scenario::{SECOND, Scenario};

/// The number of steps after which a rollout counts as endless.
const MOST_STEPS: usize = 3_000;

/// An event of the future.
#[derive(Clone, Debug)]
enum Thing {
    /// The rollout is told this event.
    Answer(Event),
    /// A run comes to life.
    Born { run: Run, revision: Revision, lane: Lane },
    /// A run ends by itself.
    Dies(u64),
    /// A run ends with success, and other types wait for that.
    Finishes(u64),
    /// A run that was told to end has ended.
    Empties(u64),
    /// The restart policy starts a dead run again.
    Respawns(u64),
    /// A person makes a request.
    Asks(Event),
    /// Another executor takes over from one that died.
    TakesOver,
}

/// How a rollout ended, and its state each time another executor took over.
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
    /// The rollout as it was last recorded.
    written: Rollout,
    now: Duration,
    agenda: Vec<(Duration, Thing)>,
    is_dead: bool,
    has_leftover: bool,
    deaths: usize,
    takeovers: Vec<State>,
    /// Whether a restart policy starts the same run again, as an engine of containers does.
    keeps_numbers: bool,
    /// The history, for a person who has to understand a failure.
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
                // Other slots may wait for this one, and nothing brings its run back.
                book.had_trouble |= planned.kind == crate::scenario::Kind::Keep;
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

    /// Chooses the events from outside.
    fn deal(&mut self) {
        self.keeps_numbers = self.dice.chance(50);
        for number in self.fleet.bodies.keys().copied().collect::<Vec<_>>() {
            if !self.fleet.bodies[&number].is_alive {
                self.later(20, Thing::Respawns(number));
            } else if self.dice.chance(4) {
                self.later(40, Thing::Dies(number));
            } else if self.scenario.is_to_end(&self.fleet.bodies[&number].run.slot) {
                self.later(40, Thing::Finishes(number));
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

    /// Adds a run of an earlier rollout that was not recorded.
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

    /// Adds an event at a random time, at most `most` half seconds from now.
    fn later(&mut self, most: u64, thing: Thing) {
        let halves = u32::try_from(self.dice.below(most + 1)).unwrap_or(0);
        self.agenda.push((self.now + SECOND * halves / 2, thing));
    }

    /// Carries out the rollout to its end. Returns how it ended, or the name of the law that was broken.
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
            Thing::Finishes(number) => self.finish(number),
            Thing::Empties(number) => self.empty(number),
            Thing::Respawns(number) => self.respawn(number),
            Thing::Asks(event) => self.ask(event),
            Thing::TakesOver => self.take_over(),
        }
    }

    /// Tells the rollout an event, unless the executor dies before it has recorded the result. Returns whether it was
    /// recorded.
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

    /// Checks the ordered actions against the laws, whether or not the executor lives to carry them out.
    fn note_orders(&mut self, actions: &[Action]) -> Lawful {
        for action in actions {
            match action {
                Action::Withdraw(run) => self.laws().may_touch(run)?,
                Action::End(run) => {
                    self.laws().may_touch(run)?;
                    self.laws().may_be_told_to_end(run, self.rollout.state())?;
                    self.laws().may_end_before_others(run, self.rollout.state())?;
                    self.book.told.insert(run.number);
                }
                Action::Start { run, revision: Revision::Old, .. } => self.laws().may_return(run)?,
                Action::Start { run, revision: Revision::New, .. } => {
                    self.laws().may_start(run)?;
                    self.book.ordered.insert(run.number);
                }
                // If it is ordered again, it may name a run that has died since then and was started again by its
                // restart policy.
                Action::Commit(_) if self.book.is_committing => (),
                Action::Commit(runs) => {
                    runs.iter().try_for_each(|run| self.laws().may_be_recorded(run, self.now))?;
                    self.book.is_committing = true;
                }
                _ => (),
            }
        }
        Ok(())
    }

    /// Records which slots have passed the gate by now, independently of the rollout.
    fn prove(&mut self) {
        for body in self.fleet.alive().filter(|body| body.revision == Revision::New && body.was_ready) {
            let minimum_life = self.scenario.slots[&body.run.slot].rules.minimum_life;
            if self.scenario.is_to_end(&body.run.slot) {
                // This run proves itself by its end.
                continue;
            }
            if self.now >= body.born + minimum_life {
                self.book.proven.insert(body.run.slot.clone());
            }
        }
    }

    /// Excuses a slot that lost its run without an order: the rollout is not responsible for that.
    fn excuse(&mut self, run: &Run, was_serving: bool) {
        self.book.had_trouble = true;
        self.book.coming.remove(&run.number);
        let is_overlap = self.scenario.slots[&run.slot].rules.strategy == Strategy::Overlap;
        if was_serving || (!is_overlap && self.laws().is_gate_passed()) {
            self.book.excused.insert(run.slot.clone());
        }
    }
}
