//! A seat: the place of one slot, with the run that fills it and, during a replacement, a run beside that. It asks the seat
//! table what to do and does it. Deaths, delays and restarts are handled here; everything within one life of the process is
//! handled by the run.

mod beside;
mod directories;
mod held_back;
mod recorded;
mod scheduled;
mod told;

use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use formation::{Exit, Slot, State};
use jiff::Timestamp;
use ps_rollout::{Lane, Role};

use crate::layout;
use crate::means::Means;
use crate::news::News;
use crate::restart::{Death, Deaths};
use crate::run::{Cause, Obstacle, Run, TRY_AGAIN};
use crate::run_table::RunState;
use crate::seat_table::{Action, AfterDeath, Beside, Event, Held};
use crate::spec::Spec;
use crate::state::Place;
use crate::status::{STATUS_FILE, Status};
use crate::take_over::Found;
use directories::{directory_again, directory_now};

/// The place of one slot.
#[derive(Debug)]
pub(crate) struct Seat {
    slot: Slot,
    directory: PathBuf,
    held: Held,
    side: Beside,
    /// The run that fills it, or filled it last; boxed, because a map of one seat allocates room for eleven.
    current: Box<Run>,
    /// The run beside. A new run that has ended stays here until it is promoted or forgotten.
    beside: Option<Box<Run>>,
    /// The number by which a rollout knows the current run. It differs from the run's own if the run could not be started.
    known: u64,
    /// Whether its run was started by an earlier supervisor that did not come to write that down.
    has_begun: bool,
    /// Whether an earlier supervisor died as it was about to start its run, and nobody knows whether it did.
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
}

impl Seat {
    /// The seat of a slot, as an earlier supervisor left it.
    #[inline(never)]
    pub(crate) fn of(slot: Slot, directory: PathBuf, found: Found) -> Self {
        let Found { held, side, current, beside, place, has_begun, is_in_doubt } = found;
        let known = current.number();
        let waits = current.status.deaths.waits(os_process::since_boot()).filter(|_| held == Held::Backoff);
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
        if self.current.process().is_some() && !self.current.is_checked() {
            let spec = means.spec.clone();
            self.current.begin_health(&spec, means);
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
            self.current.status.deaths = Deaths::default();
        }
        let mut waiting = VecDeque::from([event]);
        while let Some(event) = waiting.pop_front() {
            let (side, held) = (self.side, self.held);
            let (next, aside) = side.after(event);
            self.side = next;
            waiting.extend(self.act_beside(aside, order, means));
            if side.lets_through(event) {
                let (next, action) = held.after(event);
                self.held = next;
                waiting.extend(self.act(action, event, means));
            }
            if held == Held::Waiting && self.held == Held::Off {
                self.current.status.reason = None;
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
            Action::End if self.current.end(means) => Vec::new(),
            Action::End => vec![Event::Empty],
            Action::Delay => self.delay(means),
        }
    }

    /// Begins the delay before a restart; there is none after a stable life.
    fn delay(&mut self, means: &Means) -> Vec<Event> {
        let delay = match self.held {
            Held::Broken => TRY_AGAIN,
            _ => self.current.status.deaths.delay(self.current.terms(means).rules().settings, jitter()),
        };
        if delay.is_zero() {
            return vec![Event::Due];
        }
        self.current.status.deaths.wait_until(Some(os_process::since_boot() + delay));
        self.timer = Some(Instant::now() + delay);
        Vec::new()
    }

    /// Starts the next run in the place of one that has ended.
    #[inline(never)]
    fn fill(&mut self, event: Event, means: &mut Means) -> Vec<Event> {
        // The delay is over: the restart policy fills the seat again, in the directory of the earlier run.
        let (is_again, earlier) = (event == Event::Due, self.current.status.directory.as_deref());
        let directory =
            if is_again { directory_again(earlier, &means.spec) } else { directory_now(&means.spec) };
        if self.current.state() != RunState::Preparing {
            let number = means.numbers.take();
            self.current.succeed(number, means.new_tree(&self.slot, number));
        }
        let spec = means.spec.at(&directory);
        self.show();
        let (slot, place) = (&self.directory, &mut self.place);
        let mut write = |status: &Status, means: &mut Means| {
            means.state.write(&means.service, place, status);
            // Where that fails as well, the disk is full, and the job is started all the same.
            let _ = status.write(slot);
        };
        match self.current.start(&spec, means, &mut write) {
            Ok(()) => {
                let died = std::mem::replace(&mut self.known, self.current.number());
                self.current.status.restarts += u32::from(is_again);
                if is_again || event == Event::Met {
                    means.news.tell(News::Respawned { died }, &self.slot, self.known);
                }
                Vec::new()
            }
            Err(Obstacle::Place(_)) => vec![Event::Broke],
            Err(Obstacle::Refused(_)) => {
                let at = os_process::since_boot();
                let death =
                    Death { lifetime: Duration::ZERO, at, exit: None, is_job: false, has_failed: false };
                let verdict = self.judge(&death, means);
                self.tell_verdict(&death, verdict, means);
                vec![Event::Died(verdict), Event::Empty]
            }
        }
    }

    /// The main process of one of its runs has ended; `exit` is `None` if nobody could see how.
    pub(crate) fn reap(&mut self, pid: u32, exit: Option<Exit>, means: &mut Means) {
        let is_it = |run: &Run| run.process().is_some_and(|process| process.pid() == pid);
        if is_it(&self.current) {
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
        let Some((death, is_by_itself)) = self.current.reap(exit, means) else { return };
        let decision = self.judge(&death, means);
        self.tell_verdict(&death, decision, means);
        if is_by_itself || death.has_failed {
            self.current.cause = Some(Cause::ByItself(decision));
            told::death(&self.slot, &self.current, death.lifetime, means);
        }
        self.handle(Event::Died(decision), means);
    }

    /// Counts the death of the current run and returns the decision of the restart policy.
    fn judge(&mut self, death: &Death, means: &Means) -> AfterDeath {
        let terms = self.current.terms(means);
        let deaths = &mut self.current.status.deaths;
        *deaths = std::mem::take(deaths).carried_on(os_process::boot_id());
        let decision = deaths.judge(death, terms.rules());
        if let Some(limit) = deaths.reached_limit(terms.rules()).filter(|_| decision == AfterDeath::GiveUp) {
            self.current.status.reason = Some(format!("it was started again too often: start-limit {limit}"));
        }
        decision
    }

    /// Clears the record of deaths.
    pub(crate) fn forget_deaths(&mut self) {
        self.current.status.deaths = Deaths::default();
        self.current.status.restarts = 0;
        self.current.mark_changed();
    }

    /// Acts on timers, checks and empty trees.
    #[inline(never)]
    pub(crate) fn look(&mut self, now: Instant, means: &mut Means) {
        if self.current.look(now, means) {
            told::end(&self.slot, &self.current, means);
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
        for run in [Some(&mut *self.current), self.beside.as_deref_mut()].into_iter().flatten() {
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
        self.current.clear_away(means);
        means.state.erase(&means.service, &mut self.place);
        let _ = fs::remove_file(self.directory.join(STATUS_FILE));
        let _ = fs::remove_dir(layout::runs_directory(&self.directory));
    }

    /// Sets the state and the role that the status of each run shows.
    fn show(&mut self) {
        let state = shown(self.held, self.current.state());
        self.current.status.done = self.held == Held::Done;
        self.current.show(state, Role::Current);
        if let Some(beside) = &mut self.beside {
            let role = if self.side == Beside::Leaving { Role::Leaving } else { Role::Incoming };
            let state = alone(beside.state(), beside.cause);
            beside.show(state, role);
        }
    }
}

/// Questions that other parts ask.
impl Seat {
    /// Its slot.
    pub(crate) fn slot(&self) -> &Slot {
        &self.slot
    }

    /// The run that fills it, or filled it last, and the run beside.
    pub(crate) fn runs(&self) -> impl Iterator<Item = &Run> {
        [Some(&*self.current), self.beside.as_deref()].into_iter().flatten()
    }

    /// The same, mutable.
    pub(crate) fn runs_mut(&mut self) -> impl Iterator<Item = &mut Run> {
        [Some(&mut *self.current), self.beside.as_deref_mut()].into_iter().flatten()
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

    /// Whether its current status has been written.
    pub(crate) fn is_written(&self) -> bool {
        self.runs().all(Run::is_written)
    }

    /// The revision of the run that fills it.
    pub(crate) fn revision(&self) -> u64 {
        self.current.status.revision
    }

    /// The number by which a rollout knows the current run.
    pub(crate) fn known(&self) -> u64 {
        self.known
    }

    /// The status of the run that fills it, or filled it last.
    pub(crate) fn status(&self) -> &Status {
        &self.current.status
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
        self.held == Held::Off && !self.current.tree().is_exact()
    }

    /// Sets the reason in its status.
    pub(crate) fn remark(&mut self, reason: Option<String>) {
        self.current.status.reason = reason;
    }

    /// Sets the note in its status.
    pub(crate) fn note(&mut self, note: &str) {
        self.current.status.note = Some(note.to_owned());
        self.current.mark_changed();
    }

    /// Whether its status has changed since it was last told.
    pub(crate) fn has_changed(&self) -> bool {
        self.runs().any(Run::has_changed)
    }

    /// The status of the run that fills it, if it has changed since the last call. It has been written to disk.
    pub(crate) fn take_change(&mut self, means: &mut Means) -> Option<Status> {
        if !self.current.has_changed() {
            return None;
        }
        let is_kept = means.state.write(&means.service, &mut self.place, &self.current.status);
        self.current.take_change(Some(&self.directory), is_kept)
    }

    /// The same for the run beside.
    pub(crate) fn take_change_beside(&mut self) -> Option<Status> {
        self.beside.as_mut()?.take_change(None, false)
    }

    /// Writes the status file again if it differs from what was written, or if `state` was lost.
    pub(crate) fn check_file(&mut self, is_state_lost: bool) {
        if is_state_lost {
            self.place = Place::default();
        }
        if is_state_lost
            || Status::read(&self.directory).ok().flatten().as_ref() != Some(&self.current.status)
        {
            self.current.mark_changed();
        }
    }
}

/// The state that a slot shows.
fn shown(held: Held, run: RunState) -> State {
    match held {
        Held::Off | Held::Done => State::Stopped,
        Held::Waiting => State::Waiting,
        Held::Filled => alone(run, None),
        Held::Emptying(_) => State::Stopping,
        Held::Backoff | Held::Broken => State::Backoff,
        Held::Scheduled => State::Scheduled,
        Held::Crashed => State::Crashed,
    }
}

/// The state that a run shows by itself.
fn alone(run: RunState, cause: Option<Cause>) -> State {
    match run {
        RunState::Preparing | RunState::Starting => State::Starting,
        RunState::Ready => State::Running,
        RunState::Unready => State::Unready,
        RunState::StopCommand | RunState::Terminating | RunState::Killing | RunState::Clearing => {
            State::Stopping
        }
        RunState::Ended if cause.is_some_and(Cause::is_failure) => State::Crashed,
        RunState::Ended => State::Stopped,
    }
}

/// The low digits of the clock, which differ from call to call.
fn jitter() -> u64 {
    u64::from(Timestamp::now().subsec_nanosecond().unsigned_abs())
}
