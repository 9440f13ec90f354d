//! A seat: the place of one slot, with the run that fills it and, during a replacement, a run beside that. It asks the seat
//! table what to do and does it. Deaths, delays and restarts are handled here; everything within one life of the process is
//! handled by the run.

mod beside;
mod directories;
mod held_back;
mod recorded;
mod scheduled;
mod shown;
mod told;

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use formation::{Exit, RestartReason, Restarts, Slot};
use jiff::Timestamp;
use ps_rollout::Lane;

use crate::current::Current;
use crate::diary::Decision;
use crate::layout;
use crate::means::Means;
use crate::news::News;
use crate::own_outputs::OwnOutputs;
use crate::restart::{Death, Deaths};
use crate::run::{Cause, Obstacle, Run, TRY_AGAIN, Terms};
use crate::run_table::RunState;
use crate::seat_table::{Action, AfterDeath, Beside, Event, Held, Seating};
use crate::spec::Spec;
use crate::state::Place;
use crate::status::{STATUS_FILE, Status};
use crate::take_over::Found;
use directories::{directory_again, directory_now};

/// The place of one slot.
#[derive(Debug)]
pub(crate) struct Seat {
    slot: Slot,
    directory: Arc<Path>,
    held: Held,
    side: Beside,
    current: Current,
    /// The run beside. A new run that has ended stays here until it is promoted or forgotten.
    beside: Option<Box<Run>>,
    /// The number by which a rollout knows the current run. It differs from the run's own if the run could not be started.
    known: u64,
    /// Whether its run was started by an earlier supervisor that did not come to write that down.
    has_begun: bool,
    /// Whether an earlier supervisor died as it was about to start its run, so that it is unknown whether the run was
    /// started.
    is_in_doubt: bool,
    timer: Option<Instant>,
    /// Where its status is in `state`.
    place: Place,
}

/// An order of a rollout to start a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order<'a> {
    /// Its number.
    pub(crate) number: u64,
    /// Its lane.
    pub(crate) lane: Lane,
    /// The spec of its revision.
    pub(crate) spec: &'a Spec,
    /// The rules of its revision for its end.
    pub(crate) terms: &'a Arc<Terms>,
}

impl Seat {
    /// The seat of a slot, as an earlier supervisor left it.
    #[inline(never)]
    pub(crate) fn of(slot: Slot, directory: Arc<Path>, found: Found) -> Self {
        let Found { held, side, current, beside, place, has_begun, is_in_doubt } = found;
        let known = current.run().map_or(0, Run::number);
        let waits = current.run().and_then(|run| run.status.deaths.waits(os_process::since_boot()));
        let waits = waits.filter(|_| held == Held::Backoff);
        let timer = waits.map(|waits| Instant::now() + waits);
        let mut seat = Self {
            slot,
            directory,
            held,
            side,
            current,
            beside,
            known,
            has_begun,
            is_in_doubt,
            timer,
            place,
        };
        seat.show();
        seat
    }

    /// Continues the checks of a run that an earlier supervisor started, if its spec asks for any. The checks of a
    /// rollout's new run are begun by the rollout.
    pub(crate) fn go_on_asking(&mut self, means: &mut Means) {
        let is_unasked = |run: &&mut Run| run.process().is_some() && !run.is_checked();
        if let Some(current) = self.current.run_mut().filter(is_unasked) {
            let spec = means.spec.clone();
            current.begin_health(&spec, means);
            self.show();
        }
    }

    /// Handles an event and everything that follows from it.
    pub(crate) fn handle(&mut self, event: Event, means: &mut Means) {
        self.go(event, None, means);
    }

    #[inline(never)]
    fn go(&mut self, event: Event, order: Option<&Order<'_>>, means: &mut Means) {
        let is_anew = matches!(event, Event::Restart | Event::Fire)
            || (event == Event::Start && (self.held.is_at_rest() || self.held == Held::Scheduled));
        if is_anew && self.side.lets_through(event) {
            // An explicit start begins with an empty record of deaths.
            self.forget_deaths_alone();
        }
        let mut waiting = VecDeque::from([event]);
        while let Some(event) = waiting.pop_front() {
            let (side, held) = (self.side, self.held);
            let seat = Seating { held, beside: side };
            let then = seat.after(event);
            means.diary.decide(|| Decision::of_seat(&self.slot, seat, event, then));
            self.side = then.seat.beside;
            waiting.extend(self.act_beside(then.aside, order, means));
            if let Some(action) = then.action {
                self.held = then.seat.held;
                if self.held != Held::Off {
                    self.current.settled(&self.slot, &self.directory, means);
                }
                waiting.extend(self.act(action, event, means));
            }
            if held == Held::Waiting && self.held == Held::Off {
                self.remark(None);
            }
            if (side, held) != (self.side, self.held) {
                self.timer = self.timer.filter(|_| matches!(self.held, Held::Backoff | Held::Broken));
                self.current.mark_changed();
            }
            self.show();
        }
    }

    fn act(&mut self, action: Action, event: Event, means: &mut Means) -> Vec<Event> {
        match action {
            Action::Nothing | Action::Tell => Vec::new(),
            Action::Hold => self.hold(means),
            Action::Fill => self.fill(event, means),
            Action::End => match self.current.run_mut().map(|run| run.end(means)) {
                Some(true) => Vec::new(),
                Some(false) | None => vec![Event::Empty],
            },
            Action::Delay => self.delay(means),
        }
    }

    /// Begins the delay before a restart; after a stable life there is no delay.
    fn delay(&mut self, means: &Means) -> Vec<Event> {
        let current = self.current.settled(&self.slot, &self.directory, means);
        let delay = match self.held {
            Held::Broken => TRY_AGAIN,
            _ => current.status.deaths.delay(current.terms(means).rules().settings, jitter()),
        };
        if delay.is_zero() {
            return vec![Event::Due];
        }
        current.status.deaths.wait_until(Some(os_process::since_boot() + delay));
        self.timer = Some(Instant::now() + delay);
        Vec::new()
    }

    /// Starts the next run in the place of one that has ended.
    #[inline(never)]
    fn fill(&mut self, event: Event, means: &mut Means) -> Vec<Event> {
        // The delay is over: the restart policy fills the seat again, in the directory of the earlier run.
        let is_again = event == Event::Due;
        let current = self.current.settled(&self.slot, &self.directory, means);
        let earlier = current.status.directory.as_deref();
        let directory =
            if is_again { directory_again(earlier, &means.spec) } else { directory_now(&means.spec) };
        if current.state() != RunState::Preparing {
            let number = means.numbers.take();
            current.succeed(number, means.new_tree(&self.slot, number));
        }
        let spec = means.spec.at(&directory);
        self.show();
        let current = self.current.settled(&self.slot, &self.directory, means);
        let (slot, place) = (&self.directory, &mut self.place);
        let mut write = |status: &Status, means: &mut Means| {
            means.state.write(&means.service, place, status);
            // Where that fails as well, the disk is full, and the job is started all the same.
            let _ = status.write(slot);
        };
        match current.start(&spec, means, &mut write) {
            Ok(()) => {
                let died = std::mem::replace(&mut self.known, current.number());
                let why = current.status.deaths.take_why();
                if is_again {
                    current.status.restarts += 1;
                    current.status.restarts_by_reason.count(why.unwrap_or(RestartReason::Unknown));
                }
                if is_again || event == Event::Met {
                    means.news.tell(News::Respawned { died }, &self.slot, self.known);
                }
                Vec::new()
            }
            Err(Obstacle::Place(_)) => vec![Event::Broke],
            Err(Obstacle::Refused(_)) => {
                let at = os_process::since_boot();
                let why = Some(RestartReason::Crash);
                let death = Death { lifetime: Duration::ZERO, at, exit: None, is_job: false, why };
                let verdict = self.judge(&death, means);
                self.tell_verdict(&death, verdict, means);
                vec![Event::Died(verdict), Event::Empty]
            }
        }
    }

    /// Notes the end of the main process of one of its runs; `exit` is `None` if it is unknown how it ended.
    pub(crate) fn reap(&mut self, pid: u32, exit: Option<Exit>, means: &mut Means) {
        let is_it = |run: &Run| run.process().is_some_and(|process| process.pid() == pid);
        OwnOutputs::forget_pid(&self.directory, pid);
        if self.current.run().is_some_and(is_it) {
            self.reap_current(exit, means);
        } else if let Some(beside) = self.beside.as_mut().filter(|beside| is_it(beside)) {
            let Some((death, is_by_itself)) = beside.reap(exit, means) else { return };
            let decision = Deaths::default().judge(&death, beside.terms(means).rules());
            if is_by_itself {
                beside.cause = Some(Cause::ByItself(decision));
                told::death(&self.slot, beside, death.lifetime, means);
            }
        }
        self.look(Instant::now(), means);
    }

    fn reap_current(&mut self, exit: Option<Exit>, means: &mut Means) {
        let reaped = self.current.run_mut().and_then(|run| run.reap(exit, means));
        let Some((death, is_by_itself)) = reaped else { return };
        let decision = self.judge(&death, means);
        self.tell_verdict(&death, decision, means);
        if let Some(current) = self.current.run_mut().filter(|_| is_by_itself || death.has_failed()) {
            current.cause = Some(Cause::ByItself(decision));
            told::death(&self.slot, current, death.lifetime, means);
        }
        self.handle(Event::Died(decision), means);
    }

    /// Counts the death of the current run and returns the decision of the restart policy.
    fn judge(&mut self, death: &Death, means: &Means) -> AfterDeath {
        let current = self.current.settled(&self.slot, &self.directory, means);
        let terms = current.terms(means);
        let deaths = &mut current.status.deaths;
        *deaths = std::mem::take(deaths).carried_on(os_process::boot_id());
        let decision = deaths.judge(death, terms.rules());
        if let Some(limit) = deaths.reached_limit(terms.rules()).filter(|_| decision == AfterDeath::GiveUp) {
            current.status.reason = Some(format!("it was started again too often: start-limit {limit}"));
        }
        decision
    }

    /// Clears the record of deaths.
    pub(crate) fn forget_deaths(&mut self) {
        self.forget_deaths_alone();
        if let Some(current) = self.current.run_mut() {
            current.status.restarts = 0;
            (current.status.restarts_by_reason, current.status.oom_kills) = (Restarts::default(), 0);
        }
        self.current.mark_changed();
    }

    /// Counts that it was started again for this reason.
    pub(crate) fn count_restart(&mut self, reason: RestartReason) {
        if let Some(current) = self.current.run_mut() {
            current.status.restarts_by_reason.count(reason);
        }
        self.current.mark_changed();
    }

    /// The same, without the number of restarts.
    fn forget_deaths_alone(&mut self) {
        if let Some(current) = self.current.run_mut() {
            current.status.deaths = Deaths::default();
        }
    }

    /// Acts on timers, checks and empty trees.
    #[inline(never)]
    pub(crate) fn look(&mut self, now: Instant, means: &mut Means) {
        if let Some(current) = self.current.run_mut()
            && current.look(now, means)
        {
            told::end(&self.slot, current, means);
            self.handle(Event::Empty, means);
        }
        if let Some(beside) = self.beside.as_mut()
            && beside.look(now, means)
        {
            told::end(&self.slot, beside, means);
            let is_leaving = self.side == Beside::Leaving;
            self.handle(Event::Gone, means);
            if is_leaving || !means.news.is_heard() {
                self.forget_beside(means);
            }
        }
        for run in self.current.run_mut().into_iter().chain(self.beside.as_deref_mut()) {
            if let Some(reason) = run.take_refusal_to_end() {
                means.news.tell(News::Remains(reason), &self.slot, run.number());
            }
        }
        if self.timer.is_some_and(|due| due <= now) {
            self.timer = None;
            self.handle(Event::Due, means);
        }
        self.show();
    }

    /// Removes the slot from the formation. Its port and its logs are kept.
    pub(crate) fn forget(&mut self, means: &mut Means) {
        self.forget_beside(means);
        if let Some(current) = self.current.run_mut() {
            current.clear_away(means);
        }
        means.state.erase(&means.service, &mut self.place);
        let _ = fs::remove_file(self.directory.join(STATUS_FILE));
        let _ = fs::remove_dir(layout::runs_directory(&self.directory));
    }
}

/// Questions that other parts ask.
impl Seat {
    /// Its slot.
    pub(crate) fn slot(&self) -> &Slot {
        &self.slot
    }

    /// The run that fills it, or filled it last, if there was one, and the run beside.
    pub(crate) fn runs(&self) -> impl Iterator<Item = &Run> {
        self.current.run().into_iter().chain(self.beside.as_deref())
    }

    /// The same, mutable.
    pub(crate) fn runs_mut(&mut self) -> impl Iterator<Item = &mut Run> {
        self.current.run_mut().into_iter().chain(self.beside.as_deref_mut())
    }

    /// The run beside.
    pub(crate) fn beside(&self) -> Option<&Run> {
        self.beside.as_deref()
    }

    /// A child has exited; whether it was a check command of one of its runs.
    pub(crate) fn reap_check(&mut self, pid: u32, exit: Option<Exit>) -> bool {
        self.runs_mut().any(|run| run.reap_check(pid, exit))
    }

    /// Whether a process is the main process of one of its runs.
    pub(crate) fn has_main(&self, pid: u32) -> bool {
        self.runs().filter_map(Run::process).any(|process| process.pid() == pid)
    }

    /// Whether nothing runs in it and nothing waits to be started.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.held.is_at_rest() && self.side == Beside::Nobody
    }

    /// Whether it is filled, or the restart policy is about to fill it.
    pub(crate) fn is_held(&self) -> bool {
        !self.held.is_at_rest()
    }

    /// Whether a run lives beside the one that fills it.
    pub(crate) fn is_replaced(&self) -> bool {
        self.side != Beside::Nobody
    }

    /// The revision of the run that fills it.
    pub(crate) fn revision(&self) -> u64 {
        self.current.run().map_or(0, |run| run.status.revision)
    }

    /// The number by which a rollout knows the current run.
    pub(crate) fn known(&self) -> u64 {
        self.known
    }

    /// How long it waits before the restart policy fills it again, if it waits.
    pub(crate) fn starts_in(&self) -> Option<Duration> {
        let due = self.timer.filter(|_| matches!(self.held, Held::Backoff | Held::Broken))?;
        Some(due.saturating_duration_since(Instant::now()))
    }

    /// When it must be looked at again, at the latest.
    pub(crate) fn due(&self, now: Instant, poll: Duration) -> Option<Instant> {
        self.runs().filter_map(|run| run.due(now, poll)).chain(self.timer).min()
    }

    /// Whether it was stopped while processes may live on that cannot be assigned to an instance.
    pub(crate) fn is_unsure(&self) -> bool {
        self.held == Held::Off && self.current.run().is_some_and(|run| !run.tree().is_exact())
    }
}

/// The low digits of the clock, which differ from call to call.
fn jitter() -> u64 {
    u64::from(Timestamp::now().subsec_nanosecond().unsigned_abs())
}
