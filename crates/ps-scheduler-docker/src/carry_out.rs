//! Executes a rollout (docs/rollout.md): reports events to [`ps_rollout::Rollout`], records it, and carries out its actions. The
//! new containers are inspected every tenth of a second, because the executor receives no events of the engine. Decisions
//! are made by the rollout alone. The executor may die at any moment: the next one continues from the record.
//!
//! If the engine does not answer, the rollout is undone. If it still does not answer then, the executor stops and leaves the
//! record to the next one. After the commit the deploy has succeeded: ending the replaced containers is left to the next verb.

mod tell;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::pin::Pin;
use std::time::Duration;

use formation::{Slot, State as Condition};
use futures_util::future::{AbortHandle, abortable, join, join_all};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use ps_engine::{Engine, Fault};
use ps_rollout::{Action, Event, Outcome, Revision, Rollout, Run, State};
use ps_scheduler::{Error, Progress, Requester};

use crate::clients::Clients;
use crate::clock;
use crate::containers::{Containers, Done};
use crate::look::{self, Sight};
use crate::rollout_file::{RolloutFile, Written};
use crate::stop_request;

/// The pause between two looks at the new containers.
const LOOK: Duration = Duration::from_millis(100);
/// The description of a call for its error, if the call belongs to no action of the rollout.
const LOOK_AT: &str = "look at the new containers";

/// A rollout and its execution.
pub(crate) struct Executor<'a> {
    engine: &'a Engine,
    containers: &'a Containers<'a>,
    file: &'a RolloutFile<'a>,
    written: Written,
    events: VecDeque<Event>,
    pending: FuturesUnordered<Pin<Box<dyn Future<Output = Answer> + 'a>>>,
    /// Runs whose creation was requested and not answered yet.
    starting: BTreeSet<Run>,
    /// Runs that are to end as soon as their creation has been answered.
    deferred: BTreeSet<Run>,
    /// New runs whose container was started, with the time of the start.
    living: BTreeMap<Run, Duration>,
    /// The living runs that a look has found alive and that the rollout has been told about.
    seen: BTreeSet<Run>,
    /// Runs whose startup checks are being asked.
    probes: BTreeMap<Run, AbortHandle>,
    /// The time that the rollout sees. While new containers are observed, it is the time of the last observation, so
    /// that a run never passes its gate by time in which it was not observed.
    time: Duration,
    /// The lowest number of a run of this rollout; the end of such a run is not announced to people.
    first_run: u64,
    is_looking: bool,
    is_cancelled: bool,
    /// Set once the engine did not answer.
    silence: Option<Fault>,
    /// Set once the rollout could not be recorded.
    unwritten: Option<ps_apps::Error>,
    /// Directs clients to the app's instances; `None` if the app has neither an address nor a routing hook.
    clients: Option<Clients>,
}

/// The result of an operation that was waited for.
enum Answer {
    OfAction(Done),
    OfLook(Result<Sight, Fault>),
}

impl<'a> Executor<'a> {
    /// An executor of the unfinished rollout in `written`.
    pub(crate) fn new(containers: &'a Containers<'a>, file: &'a RolloutFile<'a>, written: Written) -> Self {
        Self {
            engine: containers.app.engine,
            containers,
            file,
            events: VecDeque::new(),
            pending: FuturesUnordered::new(),
            starting: BTreeSet::new(),
            deferred: BTreeSet::new(),
            living: BTreeMap::new(),
            probes: BTreeMap::new(),
            seen: BTreeSet::new(),
            time: Duration::ZERO,
            first_run: written.next_run,
            is_looking: false,
            written,
            is_cancelled: false,
            silence: None,
            unwritten: None,
            clients: Clients::of(containers.app),
        }
    }

    /// Executes the rollout to its end, beginning with these events. Returns the last record and the outcome.
    pub(crate) fn carry_out(
        mut self,
        first: Vec<Event>,
        requester: &mut Requester<'_>,
    ) -> Result<(Outcome, Written), Error> {
        self.events.extend(first);
        self.lead_as_the_dead_may_not_have(requester);
        loop {
            self.heed(requester);
            self.take_stops();
            self.turn(requester)?;
            let outcome = self.rollout().outcome();
            if let Some(outcome) = outcome.filter(|_| self.pending.is_empty() && self.events.is_empty()) {
                return self.conclude(outcome);
            }
            self.begin_to_look();
            let answers = self.engine.run(wait(&mut self.pending));
            for answer in answers {
                self.take(answer, requester)?;
            }
            if !self.is_looking {
                self.events.push_back(Event::Tick);
            }
        }
    }

    fn rollout(&self) -> &Rollout {
        &self.written.under_way.as_ref().expect("an executor has a rollout").rollout
    }

    fn rollout_mut(&mut self) -> &mut Rollout {
        &mut self.written.under_way.as_mut().expect("an executor has a rollout").rollout
    }

    fn heed(&mut self, requester: &Requester<'_>) {
        if requester.cancel.check().is_err() {
            if !self.is_cancelled {
                self.cancel();
            }
            self.clients.iter_mut().for_each(Clients::interrupt);
        }
    }

    /// Takes in requests of other verbs to stop instances. If the rollout is over, the verb that asked stops the instances
    /// itself.
    fn take_stops(&mut self) {
        if self.rollout().outcome().is_some() {
            return;
        }
        for request in stop_request::take(&self.file.directory) {
            let slots: Vec<Slot> =
                self.rollout().slots().filter(|slot| request.includes(slot)).cloned().collect();
            for slot in slots {
                self.containers.stopped.borrow_mut().insert(slot.clone(), request.grace);
                self.events.push_back(Event::Stopped(slot));
            }
        }
    }

    fn cancel(&mut self) {
        self.is_cancelled = true;
        self.events.push_back(Event::Cancel);
    }

    /// Reports all events to the rollout, records it, and begins its actions.
    fn turn(&mut self, requester: &mut Requester<'_>) -> Result<(), Error> {
        while !self.events.is_empty() {
            if !self.is_watching() {
                self.time = clock::now();
            }
            let (mut actions, time) = (Vec::new(), self.time);
            while let Some(event) = self.events.pop_front() {
                self.tell_of(&event, requester);
                actions.extend(self.rollout_mut().handle(event, time));
            }
            if !actions.is_empty() {
                self.write(&actions)?;
            }
            for action in actions {
                self.begin(action, requester);
            }
            self.lead(requester);
        }
        Ok(())
    }

    /// A rollout that cannot be recorded is refused before its first action. Later, when
    /// containers have been started, it is undone without a record: an app must not stay half replaced.
    fn write(&mut self, actions: &[Action]) -> Result<(), Error> {
        let highest =
            actions.iter().map(|action| if let Action::Start { run, .. } = action { run.number } else { 0 });
        self.written.next_run = highest.map(|number| number + 1).fold(self.written.next_run, u64::max);
        self.written.note_commit(actions);
        let Err(error) = self.file.write(&self.written) else { return Ok(()) };
        let is_untouched = self.living.is_empty() && self.starting.is_empty() && self.pending.is_empty();
        if is_untouched && self.rollout().state() == State::Rolling && self.unwritten.is_none() {
            return Err(self.containers.app.unwritable(&error));
        }
        self.unwritten.get_or_insert(error);
        if !self.is_cancelled {
            self.cancel();
        }
        Ok(())
    }

    fn begin(&mut self, action: Action, requester: &mut Requester<'_>) {
        let containers = self.containers;
        match action {
            Action::Start { run, revision, lane } => {
                self.tell_now(&run, Condition::Starting, None, requester);
                self.starting.insert(run.clone());
                self.pending.push(Box::pin(containers.start(run, revision, lane).map(Answer::OfAction)));
            }
            Action::Probe(run) => self.probe(run),
            // Clients are directed to all new containers at once, when these are recorded.
            Action::Admit(run) => {
                self.tell(&run, Progress::Ready, requester);
                self.events.push_back(Event::Admitted(run));
            }
            Action::Withdraw(run) => self.withdraw(run),
            Action::End(run) => {
                self.tell_now(&run, Condition::Stopping, None, requester);
                self.end(run);
            }
            Action::Forget(run) => {
                let is_committed = self.rollout().state() == State::Committed;
                self.pending.push(Box::pin(containers.forget(run, is_committed).map(Answer::OfAction)));
            }
            Action::Commit(runs) => self.record(runs, Revision::New),
            Action::PutBack(runs) => self.record(runs, Revision::Old),
        }
    }

    /// Runs the startup checks of a run until they have a result or the run ends.
    fn probe(&mut self, run: Run) {
        let (probe, handle) = abortable(self.containers.probe(run.clone()));
        self.probes.insert(run, handle);
        self.pending.push(Box::pin(probe.map(|done| Answer::OfAction(done.unwrap_or_default()))));
    }

    /// Removes a run from those that are looked at. Returns whether it was one of them.
    fn let_go(&mut self, run: &Run) -> bool {
        self.probes.remove(run).inspect(AbortHandle::abort);
        self.living.remove(run).is_some()
    }

    /// Takes clients away from a run. Before the commit there is nothing to do: a new run has no clients yet, and a run
    /// that ends does so without regard to its clients.
    fn withdraw(&mut self, run: Run) {
        let is_committed = self.rollout().state() == State::Committed;
        match self.clients.as_mut().filter(|_| is_committed) {
            Some(clients) => clients.withdraw(run),
            None => self.events.push_back(Event::Withdrawn(run)),
        }
    }

    /// Directs clients to the recorded containers, and gives the containers that they leave their time.
    fn lead(&mut self, requester: &mut Requester<'_>) {
        let Some(clients) = &mut self.clients else { return };
        for departure in clients.lead(self.containers, requester) {
            self.pending.push(Box::pin(departure.map(Answer::OfAction)));
        }
    }

    /// An executor that died after the commit may not have directed clients to the containers that it had recorded.
    fn lead_as_the_dead_may_not_have(&mut self, requester: &mut Requester<'_>) {
        let is_taken_over = self.containers.fresh.is_none();
        let is_committed = self.rollout().state() == State::Committed;
        let Some(clients) = self.clients.as_mut().filter(|_| is_taken_over) else { return };
        clients.are_behind = true;
        if is_committed {
            let departures = clients.lead(self.containers, requester);
            let all = join(join_all(departures), clients.departure());
            let (done, ()) = self.engine.run(all);
            done.into_iter()
                .filter_map(|done| done.note)
                .for_each(|note| (requester.tell)(Progress::Note(note)));
        }
    }

    fn end(&mut self, run: Run) {
        let stay = self.clients.as_ref().and_then(Clients::stay);
        if let Some(reason) = stay.filter(|_| self.rollout().state() == State::Committed) {
            self.events.push_back(Event::Remains { run, reason });
            return;
        }
        self.let_go(&run);
        if self.starting.contains(&run) {
            self.containers.unwanted.borrow_mut().insert(run.clone());
            self.deferred.insert(run);
        } else {
            self.pending.push(Box::pin(self.containers.end(run).map(Answer::OfAction)));
        }
    }

    fn record(&mut self, runs: Vec<Run>, revision: Revision) {
        self.pending.push(Box::pin(self.containers.record(runs, revision).map(Answer::OfAction)));
    }

    /// Whether a container was started whose death the rollout would have to know of.
    fn is_watching(&self) -> bool {
        matches!(self.rollout().state(), State::Rolling | State::PuttingBack) && !self.living.is_empty()
    }

    /// Schedules the next look at the new containers.
    fn begin_to_look(&mut self) {
        if self.is_looking || !self.is_watching() {
            return;
        }
        self.is_looking = true;
        let (containers, living) = (self.containers, self.living.clone());
        let looking = async move {
            tokio::time::sleep(LOOK).await;
            Answer::OfLook(look::look(containers, &living).await)
        };
        self.pending.push(Box::pin(looking));
    }

    fn take(&mut self, answer: Answer, requester: &mut Requester<'_>) -> Result<(), Error> {
        match answer {
            Answer::OfAction(done) => self.take_done(done, requester),
            Answer::OfLook(looked) => {
                self.is_looking = false;
                match looked {
                    Ok(sight) => self.take_in(sight),
                    Err(fault) => self.fall_silent(fault)?,
                }
                Ok(())
            }
        }
    }

    fn take_in(&mut self, sight: Sight) {
        self.time = self.time.max(sight.time);
        let is_new = |run: &Run| self.living.contains_key(run) && self.seen.insert(run.clone());
        self.events.extend(sight.alive.into_iter().filter(is_new).map(Event::Started));
        for (run, end) in sight.ends {
            // The end of a run that was told to end is reported by that operation.
            if self.let_go(&run) {
                self.events.push_back(end);
            }
        }
    }

    fn take_done(&mut self, done: Done, requester: &mut Requester<'_>) -> Result<(), Error> {
        if let Some(run) = done.started {
            self.starting.remove(&run);
            if self.deferred.remove(&run) {
                self.end(run);
                return done.silence.map_or(Ok(()), |fault| self.fall_silent(fault));
            }
        }
        let is_old = |run: &Run| run.number < self.first_run && self.containers.fresh.is_some();
        if let Some((run, exit)) = done.ended.filter(|(run, _)| is_old(run)) {
            (requester.tell)(Progress::Ended(run.slot, exit));
        }
        if let Some(note) = done.note {
            (requester.tell)(Progress::Note(note));
        }
        if let Some(receipt) = done.receipt {
            (requester.tell)(Progress::Receipt(*receipt));
        }
        if let Some(clients) = &mut self.clients {
            clients.are_behind |= done.has_recorded;
        }
        match done.event {
            // The rollout is told when the next look finds the run alive.
            Some(Event::Started(run)) => {
                self.living.insert(run, clock::now());
            }
            event => self.events.extend(event),
        }
        done.silence.map_or(Ok(()), |fault| self.fall_silent(fault))
    }

    fn fall_silent(&mut self, fault: Fault) -> Result<(), Error> {
        let gives_up = match self.rollout().state() {
            State::Idle | State::Rolling | State::Failed => false,
            State::PuttingBack => self.silence.is_some(),
            // The new release runs and is recorded, so its deploy has succeeded. A verb that only recovers the app cannot go on.
            State::Committed => self.containers.fresh.is_none(),
        };
        if gives_up {
            return Err(self.containers.app.error(fault, LOOK_AT));
        }
        self.silence.get_or_insert(fault);
        if !self.is_cancelled {
            self.cancel();
        }
        Ok(())
    }

    fn conclude(mut self, outcome: Outcome) -> Result<(Outcome, Written), Error> {
        let do_stay = self.clients.as_ref().and_then(Clients::stay).is_some();
        if outcome.cause.is_none() && (self.silence.is_some() || do_stay) {
            // The replaced containers may still run. The recorded rollout stays, so that the next verb ends them.
            return Ok((outcome, self.written));
        }
        if let Some(under_way) = self.written.under_way.take().filter(|_| outcome.cause.is_none()) {
            self.written.release = under_way.terms.release;
        }
        let stopped = self.containers.stopped.borrow();
        self.written.note_stopped(&self.containers.records.borrow(), stopped.keys());
        // If this cannot be written, the next verb reads a rollout that is over, and has nothing to continue.
        let _ = self.file.write(&self.written);
        match (outcome.cause.is_some(), self.silence, self.unwritten) {
            (true, Some(fault), _) => Err(self.containers.app.error(fault, LOOK_AT)),
            (true, None, Some(error)) => Err(self.containers.app.unwritable(&error)),
            (true, None, None) | (false, _, _) => Ok((outcome, self.written)),
        }
    }
}

/// The results of all operations that have completed; waits a while for the first one.
async fn wait<'a>(pending: &mut FuturesUnordered<Pin<Box<dyn Future<Output = Answer> + 'a>>>) -> Vec<Answer> {
    if pending.is_empty() {
        tokio::time::sleep(LOOK).await;
        return Vec::new();
    }
    let mut answers = Vec::new();
    answers.extend(tokio::time::timeout(LOOK, pending.next()).await.ok().flatten());
    while let Some(Some(answer)) = pending.next().now_or_never() {
        answers.push(answer);
    }
    answers
}
