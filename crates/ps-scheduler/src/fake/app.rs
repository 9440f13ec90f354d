//! One app of the fake scheduler: its living instances, its record, and its rollout.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use formation::{Exit, Slot, State, Which};
use ps_rollout::{Condition, Event, Lane, Observed, Outcome, Present, Revision, Role, Rollout, Run};

use crate::{Change, Instance, Over, Plan};

/// A living instance.
#[derive(Clone, Debug)]
pub(super) struct Life {
    pub(super) lane: Lane,
    pub(super) revision: Revision,
    /// The number of its release.
    pub(super) release: u64,
}

/// The parts of a revision that the fake scheduler needs.
#[derive(Clone, Debug, Default)]
pub(super) struct Version {
    pub(super) release: u64,
    /// Process types whose instances do not pass their gate.
    pub(super) bad: BTreeSet<String>,
}

#[derive(Debug, Default)]
pub(super) struct App {
    /// Living instances, recorded or not.
    pub(super) lives: BTreeMap<Run, Life>,
    /// The run that fills each slot.
    record: BTreeMap<Slot, Run>,
    /// The last run of each slot that was stopped by hand.
    stopped: BTreeMap<Slot, Run>,
    old: Version,
    new: Version,
    pub(super) rollout: Option<Rollout>,
    next_number: u64,
    /// Whether a program carries the rollout out.
    pub(super) is_held: bool,
    /// Stops that other programs have requested from that program, by a number that each request has for itself.
    asked: BTreeMap<u64, Which>,
    next_ticket: u64,
    /// The time since the first deploy. It advances when a rollout waits.
    pub(super) now: Duration,
}

impl App {
    pub(super) fn alive(&self) -> BTreeSet<u64> {
        self.lives.keys().map(|run| run.number).collect()
    }

    pub(super) fn slots(&self) -> BTreeSet<Slot> {
        self.record.keys().chain(self.lives.keys().map(|run| &run.slot)).cloned().collect()
    }

    /// The slots among `which` that have a living instance.
    pub(super) fn filled(&self, which: &Which) -> BTreeSet<Slot> {
        self.lives.keys().map(|run| &run.slot).filter(|slot| which.includes(slot)).cloned().collect()
    }

    /// Asks the process that carries out the rollout to stop these instances.
    pub(super) fn ask(&mut self, which: &Which) -> u64 {
        self.next_ticket += 1;
        self.asked.insert(self.next_ticket, which.clone());
        self.next_ticket
    }

    /// Whether that request was not received yet.
    pub(super) fn asks(&self, ticket: u64) -> bool {
        self.asked.contains_key(&ticket)
    }

    /// Withdraws the request; `false` if it was received already.
    pub(super) fn withdraw(&mut self, ticket: u64) -> bool {
        self.asked.remove(&ticket).is_some()
    }

    /// Receives the stops that others have requested.
    pub(super) fn take_stops(&mut self) -> Vec<Event> {
        let asked: Vec<Which> = std::mem::take(&mut self.asked).into_values().collect();
        let slots: Vec<Slot> =
            self.slots().into_iter().filter(|slot| asked.iter().any(|which| which.includes(slot))).collect();
        for run in self.lives.keys().filter(|run| slots.contains(&run.slot)) {
            self.stopped.insert(run.slot.clone(), run.clone());
        }
        slots.into_iter().map(Event::Stopped).collect()
    }

    /// Records that the plan is to be carried out.
    pub(super) fn begin(&mut self, plan: &Plan) {
        let present = |run: &Run| {
            let life = self.lives.get(run)?;
            Some((run.slot.clone(), Present { number: run.number, lane: life.lane, is_up: true }))
        };
        let present = self.record.values().filter_map(present).collect();
        self.next_number = self.next_number.max(1);
        let rollout = Rollout::new(&plan.rollout(&present, self.next_number));
        self.rollout = Some(if plan.only_fills() { rollout.each_for_itself() } else { rollout });
        let is_bad = |process: &&crate::Process| process.command.as_deref() == Some("bad");
        let bad = plan.release.processes.iter().filter(is_bad);
        self.new = Version {
            release: self.old.release + u64::from(plan.is_deploy),
            bad: bad.map(|process| process.process_type.to_string()).collect(),
        };
        for life in self.lives.values_mut() {
            life.revision = Revision::Old;
        }
        for slot in plan.slots(Change::Stop) {
            self.stopped.remove(slot);
        }
    }

    pub(super) fn version(&self, revision: Revision) -> &Version {
        match revision {
            Revision::Old => &self.old,
            Revision::New => &self.new,
        }
    }

    /// The runs found when a rollout without an executor is taken over; `None` if there is none.
    pub(super) fn observed(&self) -> Option<Vec<Observed>> {
        self.rollout.as_ref()?;
        let observed = |(run, life): (&Run, &Life)| Observed {
            run: run.clone(),
            lane: life.lane,
            revision: life.revision,
            condition: Condition::Up,
        };
        Some(self.lives.iter().map(observed).collect())
    }

    /// Passes an event to the rollout, and stores the rollout's new state.
    pub(super) fn handle(&mut self, event: Event) -> Vec<ps_rollout::Action> {
        let Some(rollout) = &mut self.rollout else { return Vec::new() };
        rollout.handle(event, self.now)
    }

    /// Records which runs fill the slots, and their revision.
    pub(super) fn write_record(&mut self, revision: Revision, filled: Vec<Run>) {
        self.record = filled.into_iter().map(|run| (run.slot.clone(), run)).collect();
        self.stopped.retain(|slot, _| !self.record.contains_key(slot));
        if revision == Revision::New {
            self.old = self.new.clone();
        }
    }

    /// The outcome of the rollout if it is over; the rollout is forgotten then.
    pub(super) fn conclusion(&mut self) -> Option<Outcome> {
        let rollout = self.rollout.as_mut()?;
        let outcome = rollout.outcome()?;
        self.next_number = rollout.take_number();
        self.rollout = None;
        Some(outcome)
    }

    /// Ends these instances, and forgets them if they are to be removed.
    pub(super) fn stop(&mut self, which: &Which, remove: bool) -> Vec<Slot> {
        let ended: Vec<Run> = self.record.values().filter(|run| which.includes(&run.slot)).cloned().collect();
        for run in &ended {
            self.record.remove(&run.slot);
            self.lives.remove(run);
            self.stopped.insert(run.slot.clone(), run.clone());
        }
        if remove {
            self.stopped.retain(|slot, _| !which.includes(slot));
        }
        ended.into_iter().map(|run| run.slot).collect()
    }

    /// The rows of `status`: the recorded runs and those beside them.
    pub(super) fn instances(&self) -> Vec<Instance> {
        let stopped = self.stopped.values().map(|run| Instance {
            last_exit: Some(Exit::Signal(15)),
            over: Some(Over::StoppedByHand),
            ..row(run, State::Stopped, Role::Current)
        });
        let alive = self.lives.iter().map(|(run, life)| Instance {
            pid: u32::try_from(run.number).ok(),
            restarts: Some(0),
            release: Some(life.release),
            lane: Some(life.lane),
            ..row(run, State::Running, self.role(run, life))
        });
        let mut rows: Vec<Instance> = stopped.chain(alive).collect();
        rows.sort_by_key(|row| (row.slot.clone(), row.run));
        rows
    }

    fn role(&self, run: &Run, life: &Life) -> Role {
        match life.revision {
            _ if self.record.get(&run.slot) == Some(run) => Role::Current,
            Revision::New => Role::Incoming,
            Revision::Old => Role::Leaving,
        }
    }
}

fn row(run: &Run, state: State, role: Role) -> Instance {
    Instance { run: Some(run.number), role: Some(role), ..Instance::new(run.slot.clone(), state) }
}
