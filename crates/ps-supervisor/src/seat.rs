//! A seat: the place of one slot, with the run that fills it and the one beside that, if there is one. It asks the seat table
//! what to do and does it. Deaths, delays and restarts are the seat's; everything that belongs to one life is the run's.

mod beside;
mod told;

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
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
use crate::seat_table::{Action, Beside, Event, Held, Verdict};
use crate::spec::Spec;
use crate::state::Place;
use crate::status::{STATUS_FILE, Status};
use crate::take_over::Found;

/// The place of one slot.
#[derive(Debug)]
pub(crate) struct Seat {
    slot: Slot,
    directory: PathBuf,
    held: Held,
    side: Beside,
    /// What fills it, or filled it last.
    current: Run,
    /// The run beside that one. One that came in and has ended stays until it is promoted or forgotten.
    beside: Option<Box<Run>>,
    /// The number by which a rollout knows what fills it: a run that could not be started has none.
    known: u64,
    timer: Option<Instant>,
    /// Where `state` says what it is doing.
    place: Place,
}

/// A run that a rollout asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order<'a> {
    /// Its number.
    pub(crate) number: u64,
    /// Where it is to live.
    pub(crate) lane: Lane,
    /// What it is started from.
    pub(crate) spec: &'a Spec,
}

impl Seat {
    /// The seat of a slot, as an earlier supervisor left it.
    pub(crate) fn of(slot: Slot, directory: PathBuf, found: Found) -> Self {
        let Found { held, side, current, beside, place } = found;
        let known = current.number();
        let waits = current.status.deaths.waits(os_process::since_boot()).filter(|_| held == Held::Backoff);
        let timer = waits.map(|waits| Instant::now() + waits);
        let mut seat = Self { slot, directory, held, side, current, beside, known, timer, place };
        seat.show();
        seat
    }

    /// Asks what fills it, which an earlier supervisor started, whatever its spec wants to be asked. Of a run that was coming in the
    /// rollout knows what that is.
    pub(crate) fn go_on_asking(&mut self, means: &mut Means) {
        if self.current.process().is_some() && !self.current.is_watched() {
            let spec = means.spec.clone();
            self.current.begin_health(&spec, means);
            self.show();
        }
    }

    /// Lets something happen to the seat, and everything that follows from it.
    pub(crate) fn handle(&mut self, event: Event, means: &mut Means) {
        self.go(event, None, means);
    }

    fn go(&mut self, event: Event, order: Option<&Order<'_>>, means: &mut Means) {
        let is_anew = event == Event::Restart || (event == Event::Start && self.held.is_at_rest());
        if is_anew && self.side.lets_through(event) {
            // Whoever asks for it anew gives it all its tries.
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
            Action::Fill => self.fill(event, means),
            Action::End if self.current.end(means) => Vec::new(),
            Action::End => vec![Event::Empty],
            Action::Delay => self.delay(means),
        }
    }

    /// Begins to wait; whoever has been stable is not kept waiting.
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

    /// Starts the next run in the place of the one that has ended.
    fn fill(&mut self, event: Event, means: &mut Means) -> Vec<Event> {
        // The timer of a seat that waits is due: nobody asked, it is filled again where the run before it was.
        let is_again = event == Event::Due;
        let directory = if is_again { self.directory_again(&means.spec) } else { directory_now(&means.spec) };
        if self.current.state() != RunState::Preparing {
            let number = means.numbers.take();
            self.current.succeed(number, means.new_tree(&self.slot, number));
        }
        let spec = means.spec.at(&directory);
        match self.current.start(&spec, means) {
            Ok(()) => {
                let died = std::mem::replace(&mut self.known, self.current.number());
                self.current.status.restarts += u32::from(is_again);
                if is_again {
                    means.news.tell(News::Respawned { died }, &self.slot, self.known);
                }
                Vec::new()
            }
            Err(Obstacle::Place(_)) => vec![Event::Broke],
            Err(Obstacle::Refused(_)) => {
                let at = os_process::since_boot();
                let death =
                    Death { lifetime: Duration::ZERO, at, exit: None, is_job: false, has_failed: false };
                vec![Event::Died(self.judge(&death, means)), Event::Empty]
            }
        }
    }

    /// The main process of one of its runs ended: `exit` is `None` if nobody could see how.
    pub(crate) fn reap(&mut self, pid: u32, exit: Option<Exit>, means: &mut Means) {
        let is_it = |run: &Run| run.process().is_some_and(|process| process.pid() == pid);
        if is_it(&self.current) {
            self.reap_current(exit, means);
        } else if let Some(beside) = self.beside.as_mut().filter(|beside| is_it(beside)) {
            let Some((death, is_by_itself)) = beside.reap(exit, means) else { return };
            let verdict = Deaths::default().judge(&death, beside.terms(means).rules());
            if is_by_itself {
                beside.cause = Some(Cause::ByItself(verdict));
                told::death(&self.slot, beside, death.lifetime, means);
            }
        }
        self.look(Instant::now(), means);
    }

    fn reap_current(&mut self, exit: Option<Exit>, means: &mut Means) {
        let Some((death, is_by_itself)) = self.current.reap(exit, means) else { return };
        let verdict = self.judge(&death, means);
        if is_by_itself || death.has_failed {
            self.current.cause = Some(Cause::ByItself(verdict));
            told::death(&self.slot, &self.current, death.lifetime, means);
        }
        self.handle(Event::Died(verdict), means);
    }

    /// Counts the death of what fills it, and says what the restart policy makes of that.
    fn judge(&mut self, death: &Death, means: &Means) -> Verdict {
        let terms = self.current.terms(means);
        let deaths = &mut self.current.status.deaths;
        *deaths = std::mem::take(deaths).carried_on(os_process::boot_id());
        let verdict = deaths.judge(death, terms.rules());
        if let Some(limit) = deaths.reached_limit(terms.rules()).filter(|_| verdict == Verdict::GiveUp) {
            self.current.status.reason = Some(format!("it was started again too often: start-limit {limit}"));
        }
        verdict
    }

    /// Nothing that it went through counts any more.
    pub(crate) fn forget_deaths(&mut self) {
        self.current.status.deaths = Deaths::default();
        self.current.status.restarts = 0;
        self.current.mark_changed();
    }

    /// Looks at the clock, and at what is meant to become empty.
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
        for run in [Some(&mut self.current), self.beside.as_deref_mut()].into_iter().flatten() {
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

    /// Forgets the slot: it is no longer part of the formation. Its port and its logs stay.
    pub(crate) fn forget(&mut self, means: &mut Means) {
        self.forget_beside(means);
        self.current.clear_away(means);
        means.state.erase(&means.service, &mut self.place);
        let _ = fs::remove_file(self.directory.join(STATUS_FILE));
        let _ = fs::remove_dir(layout::runs_directory(&self.directory));
    }

    /// Gives each run the word for what it is doing, and for what it is to the slot.
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

    /// Where a slot is filled again by itself: where its run was, while that exists.
    fn directory_again(&self, spec: &Spec) -> PathBuf {
        let own = self.current.status.directory.clone().filter(|directory| directory.is_dir());
        own.or_else(|| typed_directory(spec)).unwrap_or_else(|| spec.directory.clone())
    }
}

/// What others ask of a seat.
impl Seat {
    /// Its slot.
    pub(crate) fn slot(&self) -> &Slot {
        &self.slot
    }

    /// What fills it, or filled it last, and the run beside that.
    pub(crate) fn runs(&self) -> impl Iterator<Item = &Run> {
        [Some(&self.current), self.beside.as_deref()].into_iter().flatten()
    }

    /// The same, to be changed.
    pub(crate) fn runs_mut(&mut self) -> impl Iterator<Item = &mut Run> {
        [Some(&mut self.current), self.beside.as_deref_mut()].into_iter().flatten()
    }

    /// A child of ours has ended; whether it was a check of one of its runs.
    pub(crate) fn reap_check(&mut self, pid: u32, exit: Option<Exit>) -> bool {
        self.runs_mut().any(|run| run.reap_check(pid, exit))
    }

    /// Whether a process is the main process of one of its runs.
    pub(crate) fn has_main(&self, pid: u32) -> bool {
        self.runs().filter_map(Run::process).any(|process| process.pid() == pid)
    }

    /// Whether nothing runs and nothing is about to.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.held.is_at_rest() && self.side == Beside::Nobody
    }

    /// Whether it is filled, or about to be by itself.
    pub(crate) fn is_held(&self) -> bool {
        !self.held.is_at_rest()
    }

    /// Whether a run lives beside the one that fills it.
    pub(crate) fn is_replaced(&self) -> bool {
        self.side != Beside::Nobody
    }

    /// Whether what it is doing has been written down.
    pub(crate) fn is_written(&self) -> bool {
        self.runs().all(Run::is_written)
    }

    /// The revision that what fills it was started from.
    pub(crate) fn revision(&self) -> u64 {
        self.current.status.revision
    }

    /// The number by which a rollout knows what fills it.
    pub(crate) fn known(&self) -> u64 {
        self.known
    }

    /// What is known of the run that fills it, or filled it last.
    pub(crate) fn status(&self) -> &Status {
        &self.current.status
    }

    /// How long it waits before it is filled again, if it waits for that.
    pub(crate) fn starts_in(&self) -> Option<Duration> {
        let due = self.timer.filter(|_| matches!(self.held, Held::Backoff | Held::Broken))?;
        Some(due.saturating_duration_since(Instant::now()))
    }

    /// When it must be looked at again, at the latest.
    pub(crate) fn due(&self, now: Instant, poll: Duration) -> Option<Instant> {
        self.runs().filter_map(|run| run.due(now, poll)).chain(self.timer).min()
    }

    /// Whether it was stopped, and something of it may run on that nobody can tell from others.
    pub(crate) fn is_unsure(&self) -> bool {
        self.held == Held::Off && !self.current.tree().is_exact()
    }

    /// Says beside its state what is to be known of it.
    pub(crate) fn remark(&mut self, reason: Option<String>) {
        self.current.status.reason = reason;
    }

    /// Says beside its state what a person should know of its last start.
    pub(crate) fn note(&mut self, note: &str) {
        self.current.status.note = Some(note.to_owned());
        self.current.mark_changed();
    }

    /// Whether something changed since it was last told.
    pub(crate) fn has_changed(&self) -> bool {
        self.runs().any(Run::has_changed)
    }

    /// What is known of the run that fills it, if that changed since this was last asked; it has been written to disk.
    pub(crate) fn take_change(&mut self, means: &mut Means) -> Option<Status> {
        if !self.current.has_changed() {
            return None;
        }
        let is_kept = means.state.write(&means.service, &mut self.place, &self.current.status);
        self.current.take_change(Some(&self.directory), is_kept)
    }

    /// The same of the run beside.
    pub(crate) fn take_change_beside(&mut self) -> Option<Status> {
        self.beside.as_mut()?.take_change(None, false)
    }

    /// Writes the status again if what lies there is not what was written; also if `state` is lost.
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

/// Where a run starts that somebody asked for: where the verb resolved the typed path to, while that exists.
fn directory_now(spec: &Spec) -> PathBuf {
    let resolved = Some(spec.directory.clone()).filter(|directory| directory.is_dir());
    resolved.or_else(|| typed_directory(spec)).unwrap_or_else(|| spec.directory.clone())
}

/// Where the path as it was typed leads now, if that is a directory.
fn typed_directory(spec: &Spec) -> Option<PathBuf> {
    spec.typed.as_ref()?.canonicalize().ok().filter(|directory: &PathBuf| Path::is_dir(directory))
}

/// The word for what a slot is doing.
fn shown(held: Held, run: RunState) -> State {
    match held {
        Held::Off | Held::Done => State::Stopped,
        Held::Filled => alone(run, None),
        Held::Emptying(_) => State::Stopping,
        Held::Backoff | Held::Broken => State::Backoff,
        Held::Crashed => State::Crashed,
    }
}

/// The word for what a run is doing, by itself.
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

/// A number that differs from call to call: the clock's low digits.
fn jitter() -> u64 {
    u64::from(Timestamp::now().subsec_nanosecond().unsigned_abs())
}
