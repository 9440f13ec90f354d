//! Carries out a rollout: applies the actions of `ps-rollout` to the seats, and tells it what happens to the runs. The
//! program that submitted the rollout may have ended.

use std::collections::BTreeMap;

use formation::{RestartReason, Slot};
use ps_rollout::{Action, Condition, Event, Lane, Observed, Present, Revision, Run};

use super::Supervisor;
use super::runs::RunView;
use crate::control::Message;
use crate::ports;
use crate::revision::{self, Next};
use crate::rollout::{self, Carried, Comparison, Left, Stage};
use crate::run_table::RunState;
use crate::seat::Seat;
use crate::spec::Spec;
use crate::status::Status;

impl Supervisor {
    /// Begins the rollout of `next.json`, with a new run for each of these slots. `reason`: why, if no person asked for it.
    ///
    /// # Errors
    /// Why it cannot begin; nothing has changed then.
    #[inline(never)]
    pub(crate) fn roll(&mut self, slots: Vec<Slot>, reason: Option<RestartReason>) -> Result<(), String> {
        self.refuse_while_rolling()?;
        if self.is_ending {
            return Err("everything is being ended: nothing can be rolled out".to_owned());
        }
        let next = Next::read(&self.service).map_err(|error| error.to_string())?;
        self.listen_beside(&next.spec.listen)?;
        ports::reserve(&next.spec, slots.iter(), &self.service, &mut self.means.claims)?;
        let order = rollout::Order {
            fresh: slots.into_iter().collect(),
            present: self.present(),
            next_number: self.next_run_number(),
            reason,
        };
        if let Some(reason) = rollout::no_comparison(&next, &order) {
            self.give_back_ports();
            self.listen_as_wanted();
            return Err(reason);
        }
        let carried = Carried::new(&self.service, next, order).map_err(|error| {
            self.give_back_ports();
            self.listen_as_wanted();
            format!("write down the rollout: {error}")
        })?;
        self.rollout = Some(carried);
        self.begin_counting();
        self.listen_to_runs(true);
        self.carry_on();
        Ok(())
    }

    /// Whether a rollout is in progress.
    pub(crate) fn is_rolling(&self) -> bool {
        self.rollout.as_ref().is_some_and(|carried| !carried.is_over())
    }

    /// Refuses a request that cannot be combined with a rollout, while one is in progress.
    ///
    /// # Errors
    /// Names the revision that is being rolled out.
    pub(crate) fn refuse_while_rolling(&self) -> Result<(), String> {
        match self.rollout.as_ref().filter(|carried| !carried.is_over()) {
            Some(carried) => Err(format!(
                "revision {} of {} is being rolled out: wait until that is over, or cancel it",
                carried.next.spec.revision, self.means.spec.app
            )),
            None => Ok(()),
        }
    }

    /// Undoes the rollout in progress, unless it has been committed.
    pub(crate) fn cancel_rollout(&mut self) {
        if let Some(carried) = &mut self.rollout {
            carried.hear(Event::Cancel);
        }
        self.carry_on();
    }

    /// Resumes the rollout of an earlier supervisor; whether there is one. A rollout that cannot be resumed is dropped:
    /// the runs that fill the seats stay, under the current spec.
    pub(super) fn resume_rollout(&mut self) -> bool {
        match Carried::left(&self.service, &self.means.spec) {
            Left::Rollout(mut carried) => {
                let observed = self.observe(&carried);
                carried.hear(Event::Resumed(observed));
                self.rollout = Some(*carried);
                self.note_admitted();
                self.begin_counting();
                self.listen_to_runs(true);
                self.carry_on();
                return self.rollout.as_ref().is_some_and(|carried| !carried.is_over());
            }
            Left::Unreadable => rollout::forget(&self.service),
            Left::Nothing => (),
        }
        self.give_back_ports();
        self.dismiss_all();
        false
    }

    /// Hands the events of the runs to the rollout and applies its actions, until no more follow.
    #[inline(never)]
    pub(super) fn carry_on(&mut self) {
        while !self.is_ending && !self.rollout.as_ref().is_none_or(|carried| carried.is_concluded) {
            for event in self.take_news() {
                self.take_in(event);
            }
            self.lead_clients();
            self.compare();
            let number = self.next_run_number();
            let Some(carried) = &mut self.rollout else { return };
            let actions = carried.decide(&self.service, number);
            for decision in carried.take_decided() {
                self.means.diary.decide(|| Some(decision));
            }
            self.count_in();
            let Some(carried) = &mut self.rollout else { return };
            if let Some(report) = carried.take_news() {
                // The statuses are sent first, so that a client that hears of the rollout's end knows them.
                self.publish();
                self.server.tell(&Message::Rollout(Box::new(report)));
            }
            if actions.is_empty() {
                return self.conclude_rollout();
            }
            for action in actions {
                self.act(action);
            }
        }
    }

    /// Hands one event to the rollout.
    fn take_in(&mut self, event: Event) {
        let Some(carried) = &mut self.rollout else { return };
        note_failure(carried, &self.seats, &event);
        carried.hear(event);
    }

    /// Reports a rollout that is over, and lets the seats follow the spec again. Its outcome is kept until a client has
    /// been told.
    fn conclude_rollout(&mut self) {
        let Some(carried) = self.rollout.as_mut().filter(|carried| carried.is_over()) else { return };
        carried.is_concluded = true;
        let has_failed = carried.report().outcome.is_some_and(|outcome| outcome.cause.is_some());
        if let Some(reason) = carried.reason.filter(|_| !has_failed) {
            for slot in &carried.fresh {
                if let Some(seat) = self.seats.get_mut(slot) {
                    seat.count_restart(reason);
                }
            }
        }
        self.give_back_ports();
        self.listen_to_runs(false);
        self.conclude_refresh();
        if self.server.has_watchers() {
            self.forget_rollout();
        }
        self.apply();
    }

    /// Reports the rollout to a client that begins to watch.
    pub(crate) fn tell_rollout(&mut self, client: u64) {
        let Some(carried) = &self.rollout else { return };
        self.server.say(client, &Message::Rollout(Box::new(carried.report())));
        if carried.is_concluded {
            self.forget_rollout();
        }
    }

    /// A person has stopped these slots.
    pub(crate) fn stop_in_rollout(&mut self, slots: &[Slot]) {
        let Some(carried) = self.rollout.as_mut().filter(|carried| !carried.is_concluded) else { return };
        // If this cannot be recorded, the rollout's next step cannot be either, and the rollout is undone for that reason.
        let _ = carried.stop(&self.service, slots);
        self.carry_on();
    }

    /// Drops the rollout at the supervisor's end. The next supervisor starts with the spec on disk.
    pub(crate) fn give_up_rollout(&mut self) {
        if self.rollout.is_some() {
            self.give_back_ports();
            self.listen_to_runs(false);
            self.forget_rollout();
        }
    }

    fn give_back_ports(&mut self) {
        ports::give_back_reserved(&self.service, &mut self.means.claims);
    }

    /// A client has been told the outcome.
    pub(super) fn forget_rollout(&mut self) {
        self.rollout = None;
        rollout::forget(&self.service);
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Start { run, revision, lane } => self.start_from(revision, &run, lane),
            Action::Probe(run) => self.probe(run),
            Action::Admit(run) => self.admit(run),
            Action::Withdraw(run) => self.withdraw(run),
            Action::End(run) => {
                self.note_late(&run);
                if !self.drains_first(&run) {
                    self.end_run(&run);
                }
            }
            Action::Forget(run) => self.forget_run(&run),
            Action::Commit(runs) => self.commit(&runs),
            Action::PutBack(runs) => self.put_back(&runs),
        }
    }

    /// Remembers the status of a new run that the rollout ends although no failure was reported: it was not ready in time.
    fn note_late(&mut self, run: &Run) {
        let Some(carried) = &mut self.rollout else { return };
        let has_refused = carried.comparison.as_ref().is_some_and(Comparison::has_refused);
        if carried.report().stage == Stage::PuttingBack && carried.has_nothing_failed() && !has_refused {
            note_failed(carried, &self.seats, run);
        }
    }

    pub(super) fn hear(&mut self, event: Event) {
        if let Some(carried) = &mut self.rollout {
            carried.hear(event);
        }
    }

    fn start_from(&mut self, revision: Revision, run: &Run, lane: Lane) {
        let Some(carried) = &self.rollout else { return };
        let spec: Spec = match revision {
            Revision::New if !carried.is_control(&run.slot) => carried.next.spec.clone(),
            Revision::New | Revision::Old => self.means.spec.clone(),
        };
        let side = carried.side(&run.slot).filter(|_| revision == Revision::New);
        self.start_run(run, lane, &spec);
        if let Some(seat) = self.seats.get_mut(&run.slot) {
            seat.compares(run.number, side);
        }
    }

    /// The rollout wants to know when a run is ready. The run's checks run from its start anyway; for one that was taken
    /// over they begin again.
    fn probe(&mut self, run: Run) {
        let Some(carried) = &mut self.rollout else { return };
        let runs = self.seats.get_mut(&run.slot).into_iter().flat_map(Seat::runs_mut);
        let Some(known) = runs.into_iter().find(|known| known.number() == run.number) else { return };
        if known.state() == RunState::Starting && !known.is_checked() {
            let is_control = carried.is_control(&run.slot);
            let spec = if is_control { self.means.spec.clone() } else { carried.next.spec.clone() };
            known.begin_health(&spec, &mut self.means);
        }
        if matches!(known.state(), RunState::Ready | RunState::Unready) {
            carried.hear(Event::Ready(run));
        }
    }

    fn commit(&mut self, runs: &[Run]) {
        let Some(carried) = &self.rollout else { return };
        let next = carried.next.spec.clone();
        let event = match revision::commit(&self.service, Some(&self.means.spec)) {
            Ok(()) => {
                self.means.spec = next;
                self.note_spec_file();
                self.promote(runs);
                Event::Recorded(Revision::New)
            }
            Err(error) => {
                Event::NotRecorded { revision: Revision::New, slot: None, reason: error.to_string() }
            }
        };
        self.hear(event);
    }

    fn put_back(&mut self, runs: &[Run]) {
        self.promote(runs);
        let is_as_before = || Spec::read(&self.service).is_ok_and(|spec| spec == self.means.spec);
        let written = revision::withdraw(&self.service)
            .and_then(|()| if is_as_before() { Ok(()) } else { self.means.spec.write(&self.service) });
        self.note_spec_file();
        self.hear(match written {
            Ok(()) => Event::Recorded(Revision::Old),
            Err(error) => {
                Event::NotRecorded { revision: Revision::Old, slot: None, reason: error.to_string() }
            }
        });
    }

    fn promote(&mut self, runs: &[Run]) {
        for run in runs {
            self.promote_run(run);
        }
    }

    /// The run that fills each slot, or that its restart policy is about to start.
    fn present(&self) -> BTreeMap<Slot, Present> {
        let current = self.view_runs().into_iter().filter(|view| view.is_current);
        let present = |view: RunView| {
            let is_up = view.condition != Condition::Over;
            (view.run.slot, Present { number: view.run.number, lane: view.lane, is_up })
        };
        current.map(present).collect()
    }

    /// The runs that this supervisor found when it took over.
    fn observe(&self, carried: &Carried) -> Vec<Observed> {
        let is_committed = carried.next.spec == self.means.spec;
        let observed = |view: RunView| {
            // A run that the record does not name was started by a restart policy.
            let is_new = is_committed && carried.fresh.contains(&view.run.slot);
            let revision = if is_new { Revision::New } else { Revision::Old };
            Observed { run: view.run, lane: view.lane, revision, condition: view.condition }
        };
        self.view_runs().into_iter().map(observed).collect()
    }
}

/// Remembers the status of a new run that has just failed, before its files are removed.
fn note_failure(carried: &mut Carried, seats: &BTreeMap<Slot, Seat>, event: &Event) {
    if let Event::StartRefused { run, .. } | Event::NotReady { run, .. } | Event::Died { run, .. } = event {
        note_failed(carried, seats, run);
    }
}

fn note_failed(carried: &mut Carried, seats: &BTreeMap<Slot, Seat>, run: &Run) {
    let failed = seats.get(&run.slot).and_then(|seat| seat.runs().find(|known| known.number() == run.number));
    if let Some(failed) = failed {
        carried.note_failed(Status::clone(&failed.status));
    }
}
