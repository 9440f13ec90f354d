//! The executor of a rollout (docs/rollout.md): it tells [`ps_rollout::Rollout`] what happened, writes the rollout down, does what it
//! is told to, and looks at the new containers every tenth of a second, because the engine tells nobody that one has ended. It
//! decides nothing. It may die at any moment: whoever comes next goes on from what is written down.
//!
//! An engine that does not answer is asked to put back once; if it is silent then, too, the executor leaves the rollout as it is
//! written down, for the next one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::pin::Pin;
use std::time::Duration;

use formation::Slot;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use ps_engine::{Engine, Fault};
use ps_rollout::{Action, Event, Outcome, Revision, Rollout, Run, State};
use ps_scheduler::{Error, Progress, Watch};

use crate::clock;
use crate::containers::{Containers, Done};
use crate::failed::failed;
use crate::look::{self, Sight};
use crate::rollout_file::{RolloutFile, Written};
use crate::stop_request;

/// How often the new containers are looked at.
const LOOK: Duration = Duration::from_millis(100);

/// A rollout, and whoever carries it out.
pub(crate) struct Executor<'a> {
    engine: &'a Engine,
    containers: &'a Containers<'a>,
    file: &'a RolloutFile<'a>,
    written: Written,
    events: VecDeque<Event>,
    pending: FuturesUnordered<Pin<Box<dyn Future<Output = Answer> + 'a>>>,
    /// Runs whose start was ordered and not yet answered.
    starting: BTreeSet<Run>,
    /// Runs that are to end as soon as their start is answered.
    deferred: BTreeSet<Run>,
    /// New runs that live, with the time at which they began to.
    living: BTreeMap<Run, Duration>,
    /// Those of them that a look has shown alive, and of which the rollout knows.
    seen: BTreeSet<Run>,
    /// The time that the rollout is told. While there is something to look at it is that of the last look, so that no run passes
    /// its gate on account of time in which nobody looked.
    time: Duration,
    /// The lowest number that a run of this rollout can have; the end of one of these is not told.
    first_run: u64,
    is_looking: bool,
    is_cancelled: bool,
    /// The engine did not answer.
    silence: Option<Fault>,
    /// The rollout could not be written down.
    unwritten: Option<ps_apps::Error>,
}

/// Something that was waited for.
enum Answer {
    OfAction(Done),
    OfLook(Result<Sight, Fault>),
}

impl<'a> Executor<'a> {
    /// An executor of the rollout that is under way in `written`.
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
            seen: BTreeSet::new(),
            time: Duration::ZERO,
            first_run: written.next_run,
            is_looking: false,
            written,
            is_cancelled: false,
            silence: None,
            unwritten: None,
        }
    }

    /// Carries the rollout out to its end, beginning with these events. What was written down last comes back with the outcome.
    pub(crate) fn carry_out(
        mut self,
        first: Vec<Event>,
        watch: &mut Watch<'_>,
    ) -> Result<(Outcome, Written), Error> {
        self.events.extend(first);
        loop {
            self.heed(watch);
            self.take_stops();
            self.turn(watch)?;
            let outcome = self.rollout().outcome();
            if let Some(outcome) = outcome.filter(|_| self.pending.is_empty() && self.events.is_empty()) {
                return self.conclude(outcome);
            }
            self.begin_to_look();
            let answers = self.engine.run(wait(&mut self.pending));
            for answer in answers {
                self.take(answer, watch)?;
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

    fn heed(&mut self, watch: &Watch<'_>) {
        if !self.is_cancelled && watch.cancel.check().is_err() {
            self.cancel();
        }
    }

    /// Takes in what a person wants stopped meanwhile. When the rollout is over, whoever asks does it.
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

    /// Tells the rollout everything that has happened, writes it down, and begins what it says.
    fn turn(&mut self, watch: &mut Watch<'_>) -> Result<(), Error> {
        while !self.events.is_empty() {
            if !self.is_watching() {
                self.time = clock::now();
            }
            let (mut actions, time) = (Vec::new(), self.time);
            while let Some(event) = self.events.pop_front() {
                if let Event::Started(run) = &event {
                    self.tell(run, Progress::Started, watch);
                }
                actions.extend(self.rollout_mut().handle(event, time));
            }
            if !actions.is_empty() {
                self.write(&actions)?;
            }
            for action in actions {
                self.begin(action, watch);
            }
        }
        Ok(())
    }

    /// Before anything was begun a rollout that cannot be written down is refused. Later it is put back, because what is
    /// to end must end all the same.
    fn write(&mut self, actions: &[Action]) -> Result<(), Error> {
        let highest =
            actions.iter().map(|action| if let Action::Start { run, .. } = action { run.number } else { 0 });
        self.written.next_run = highest.map(|number| number + 1).fold(self.written.next_run, u64::max);
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

    fn begin(&mut self, action: Action, watch: &mut Watch<'_>) {
        let containers = self.containers;
        match action {
            Action::Start { run, revision, lane } => {
                self.starting.insert(run.clone());
                self.pending.push(Box::pin(containers.start(run, revision, lane).map(Answer::OfAction)));
            }
            // Nobody asks containers for their checks: one that lives for as long as the gate demands has passed.
            Action::Probe(run) => self.events.push_back(Event::Ready(run)),
            // Nothing stands between clients and a container.
            Action::Admit(run) => {
                self.tell(&run, Progress::Ready, watch);
                self.events.push_back(Event::Admitted(run));
            }
            Action::Withdraw(run) => self.events.push_back(Event::Withdrawn(run)),
            Action::End(run) => self.end(run),
            Action::Forget(run) => {
                let is_committed = self.rollout().state() == State::Committed;
                self.pending.push(Box::pin(containers.forget(run, is_committed).map(Answer::OfAction)));
            }
            Action::Commit(runs) => self.record(runs, Revision::New),
            Action::PutBack(runs) => self.record(runs, Revision::Old),
        }
    }

    /// Tells of a new run; of what another executor began only the outcome is told.
    fn tell(&self, run: &Run, progress: fn(Slot) -> Progress, watch: &mut Watch<'_>) {
        if run.number >= self.first_run && self.containers.fresh.is_some() {
            (watch.say)(progress(run.slot.clone()));
        }
    }

    fn end(&mut self, run: Run) {
        self.living.remove(&run);
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

    /// Whether something was started whose death is the rollout's to judge.
    fn is_watching(&self) -> bool {
        matches!(self.rollout().state(), State::Rolling | State::PuttingBack) && !self.living.is_empty()
    }

    /// Has the new containers looked at in a moment.
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

    fn take(&mut self, answer: Answer, watch: &mut Watch<'_>) -> Result<(), Error> {
        match answer {
            Answer::OfAction(done) => self.take_done(done, watch),
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
            // One that was told to end meanwhile says so itself.
            if self.living.remove(&run).is_some() {
                self.events.push_back(end);
            }
        }
    }

    fn take_done(&mut self, done: Done, watch: &mut Watch<'_>) -> Result<(), Error> {
        if let Some(run) = done.started {
            self.starting.remove(&run);
            if self.deferred.remove(&run) {
                self.end(run);
                return Ok(());
            }
        }
        let is_old = |run: &Run| run.number < self.first_run && self.containers.fresh.is_some();
        if let Some((run, exit)) = done.ended.filter(|(run, _)| is_old(run)) {
            (watch.say)(Progress::Ended(run.slot, exit));
        }
        if let Some(note) = done.note {
            (watch.say)(Progress::Note(note));
        }
        match done.event {
            // The next look says so.
            Some(Event::Started(run)) => {
                self.living.insert(run, clock::now());
            }
            event => self.events.extend(event),
        }
        done.silence.map_or(Ok(()), |fault| self.fall_silent(fault))
    }

    fn fall_silent(&mut self, fault: Fault) -> Result<(), Error> {
        let is_putting_back = self.rollout().state() == State::PuttingBack;
        if self.silence.is_some() && is_putting_back || self.rollout().state() == State::Committed {
            return Err(failed(fault, format!("deploy {}", self.containers.app.name)));
        }
        self.silence.get_or_insert(fault);
        if !self.is_cancelled {
            self.cancel();
        }
        Ok(())
    }

    fn conclude(mut self, outcome: Outcome) -> Result<(Outcome, Written), Error> {
        let name = self.containers.app.name;
        if let Some(under_way) = self.written.under_way.take().filter(|_| outcome.cause.is_none()) {
            self.written.release = under_way.terms.release;
        }
        // If this cannot be written, a rollout that is over is read, and that is nothing to go on with.
        let _ = self.file.write(&self.written);
        match (outcome.cause.is_some(), self.silence, self.unwritten) {
            (true, Some(fault), _) => Err(failed(fault, format!("deploy {name}"))),
            (true, None, Some(error)) => Err(self.containers.app.unwritable(&error)),
            (true, None, None) | (false, _, _) => Ok((outcome, self.written)),
        }
    }
}

/// What has come of something that was begun, all of it that is there; nothing, if nothing comes for a while.
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
