//! A seat: the place of one instance, with all that belongs to it. It asks the table what to do and does it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ps_scheduler::{Exit, Slot, State};
use rustix::process::Signal;

use crate::capture::Capture;
use crate::output::Output;
use crate::ports;
use crate::process::{self, Process};
use crate::restart::Deaths;
use crate::spec::Spec;
use crate::status::{ProcessId, Status};
use crate::transition::{Action, Event, SeatState, Then, transition};
use crate::tree::Tree;

/// How soon a tree that would not die is killed again.
const KILL_AGAIN: Duration = Duration::from_millis(100);

/// A main process that ends with success sooner than this, and leaves others running, meant to be a daemon.
const LEAST_LIFE: Duration = Duration::from_secs(1);
const IN_THE_BACKGROUND: &str = "it left processes running when it ended: it seems to put itself into the background; \
     run it in the foreground (nginx -g 'daemon off;', gunicorn without --daemon)";

/// The place of one instance.
#[derive(Debug)]
pub(crate) struct Seat {
    slot: Slot,
    directory: PathBuf,
    state: SeatState,
    process: Option<Process>,
    tree: Tree,
    output: Output,
    deaths: Deaths,
    status: Status,
    timer: Option<Instant>,
    changed: bool,
}

impl Seat {
    /// An empty seat, or one whose process an earlier supervisor left running: that one is adopted. What else is left
    /// of an earlier process is killed first.
    pub(crate) fn open(
        service: &Path,
        slot: Slot,
        tree: Tree,
        port: Option<u16>,
        output: Output,
        spec: &Spec,
    ) -> Self {
        let directory = service.join(slot.to_string());
        let earlier = Status::read(&directory).ok().flatten();
        let mut seat = Self {
            status: Status {
                slot: slot.clone(),
                state: State::Stopped,
                process: None,
                port,
                since: now(),
                restarts: 0,
                last_exit: earlier.as_ref().and_then(|status| status.last_exit),
                revision: 0,
                log_offsets: [0; 2],
                reason: None,
                directory: earlier.as_ref().and_then(|status| status.directory.clone()),
                note: None,
            },
            slot,
            directory,
            state: SeatState::Down,
            process: None,
            tree,
            output,
            deaths: Deaths::default(),
            timer: None,
            changed: true,
        };
        seat.take_over(earlier, spec);
        seat
    }

    fn take_over(&mut self, earlier: Option<Status>, spec: &Spec) {
        let recorded = earlier.as_ref().and_then(|status| status.process.as_ref()).and_then(Process::adopt);
        if let (Some(process), Some(status)) = (recorded, earlier) {
            self.process = Some(process);
            self.status = Status { state: State::Running, ..status };
            self.state = SeatState::Up;
        } else if self.tree.may_hold_strays() {
            // Its supervisor may have died between starting it and writing that down.
            let found = self.tree.find_main().and_then(ProcessId::of);
            if found.is_none() && self.tree.is_empty(None) {
                return;
            }
            self.process = found.as_ref().and_then(Process::adopt);
            self.status.process = found.filter(|_| self.process.is_some());
            self.status.revision = spec.revision;
            self.state = if self.process.is_some() { SeatState::Up } else { SeatState::Killing(Then::Rest) };
            self.status.state = shown(self.state);
            self.timer = self.process.is_none().then(Instant::now);
        }
    }

    /// Lets something happen to the seat, and everything that follows from it.
    pub(crate) fn handle(&mut self, event: Event, spec: &Spec) {
        let mut next = Some(event);
        while let Some(event) = next {
            let before = self.state;
            let (state, action) = transition(before, event);
            self.state = state;
            next = self.act(action, event, spec);
            if state != before || action != Action::Nothing {
                self.note(before);
            }
        }
    }

    /// Its main process ended: `exit` is `None` if nobody could see how.
    pub(crate) fn reap(&mut self, exit: Option<Exit>, spec: &Spec) {
        let Some(process) = self.process.take() else { return };
        self.status.process = None;
        self.status.last_exit = exit;
        self.deaths.count(process.lifetime());
        let is_short = process.lifetime() < LEAST_LIFE && exit.is_some_and(Exit::is_success);
        if is_short && !self.tree.is_empty(None) {
            self.status.note = Some(IN_THE_BACKGROUND.to_owned());
        }
        self.handle(Event::Died(self.deaths.verdict(spec.restart_policy, exit)), spec);
        self.look(Instant::now(), spec);
    }

    /// Looks at the clock, and at the tree if it is meant to become empty.
    pub(crate) fn look(&mut self, now: Instant, spec: &Spec) {
        if self.is_ending() && self.process.is_none() && self.tree.is_empty(None) {
            self.handle(Event::Empty, spec);
        }
        if self.timer.is_some_and(|due| due <= now) {
            self.timer = None;
            self.handle(Event::Due, spec);
        }
    }

    /// When it must be looked at again, at the latest.
    pub(crate) fn due(&self, now: Instant, poll: Duration) -> Option<Instant> {
        let emptied = (self.is_ending() && self.process.is_none()).then(|| now + poll);
        [self.timer, emptied].into_iter().flatten().min()
    }

    /// Its slot.
    pub(crate) fn slot(&self) -> &Slot {
        &self.slot
    }

    /// Whether nothing runs and nothing is about to.
    pub(crate) fn is_at_rest(&self) -> bool {
        matches!(self.state, SeatState::Down | SeatState::Crashed)
    }

    /// Its main process.
    pub(crate) fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// The revision its process was started from.
    pub(crate) fn revision(&self) -> u64 {
        self.status.revision
    }

    /// Its output streams that flow into logs.
    pub(crate) fn captures(&mut self) -> &mut [Capture] {
        self.output.captures()
    }

    /// How long it waits before it is started again, if it waits for that.
    pub(crate) fn starts_in(&self) -> Option<Duration> {
        let due = self.timer.filter(|_| self.state == SeatState::Backoff)?;
        Some(due.saturating_duration_since(Instant::now()))
    }

    /// What is being ended is killed now, before its grace period is over.
    pub(crate) fn hurry(&mut self, spec: &Spec) {
        if self.is_ending() {
            self.handle(Event::Due, spec);
        }
    }

    /// Sends a signal to everything that runs in it.
    pub(crate) fn signal(&self, signal: Signal) {
        if !self.is_at_rest() {
            self.tree.signal(self.process.as_ref().map(Process::pid), signal);
        }
    }

    /// The status, if it changed since this was last asked; it has been written to disk.
    pub(crate) fn take_change(&mut self) -> Option<Status> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        // A disk that takes no status must not stop the processes; whoever watches is still told.
        let _ = self.status.write(&self.directory);
        Some(self.status.clone())
    }

    /// The status now.
    pub(crate) fn status(&self) -> &Status {
        &self.status
    }

    /// Forgets the instance: it is no longer part of the formation. Its port and its logs stay.
    pub(crate) fn forget(&self) {
        let _ = fs::remove_file(self.directory.join(crate::status::STATUS_FILE));
    }

    fn is_ending(&self) -> bool {
        matches!(self.state, SeatState::Stopping(_) | SeatState::Killing(_) | SeatState::Clearing(_))
    }

    fn act(&mut self, action: Action, event: Event, spec: &Spec) -> Option<Event> {
        let main = self.process.as_ref().map(Process::pid);
        let now = Instant::now();
        match action {
            Action::Nothing => None,
            // The timer of a seat that waits is due: nobody asked, it restarts where it ran.
            Action::Spawn if event == Event::Due => Some(self.spawn(&self.directory_again(spec), spec)),
            Action::Spawn => Some(self.spawn(&directory_now(spec), spec)),
            Action::Terminate => {
                self.tree.terminate(main);
                self.timer = Some(now + spec.grace());
                None
            }
            Action::Kill => {
                self.tree.kill(main);
                self.timer = Some(now + KILL_AGAIN);
                None
            }
            Action::Delay => {
                self.timer = Some(now + self.deaths.delay(jitter()));
                self.drain();
                None
            }
            Action::Announce => {
                self.timer = None;
                self.drain();
                None
            }
        }
    }

    /// Where an instance that ended by itself is started again: where it ran, while that exists.
    fn directory_again(&self, spec: &Spec) -> PathBuf {
        let own = self.status.directory.clone().filter(|directory| directory.is_dir());
        own.or_else(|| typed_directory(spec)).unwrap_or_else(|| spec.directory.clone())
    }

    fn spawn(&mut self, directory: &Path, spec: &Spec) -> Event {
        let spec = &spec.at(directory);
        self.timer = None;
        self.drain();
        self.status.log_offsets = self.output.offsets();
        self.status.revision = spec.revision;
        self.status.directory = Some(spec.directory.clone());
        let spawned = self
            .settle_port(spec)
            .and_then(|()| process::spawn(spec, &self.slot, &self.output, &self.tree, self.status.port));
        match spawned {
            Ok(process) => {
                self.status.process = Some(process.id().clone());
                self.status.reason = None;
                self.process = Some(process);
                Event::Ready
            }
            Err(reason) => {
                self.status.reason = Some(reason);
                self.deaths.count(Duration::ZERO);
                Event::Died(self.deaths.verdict(spec.restart_policy, None))
            }
        }
    }

    /// Sees to it that the port is free; another one takes the place of one that is not, and a note says so.
    fn settle_port(&mut self, spec: &Spec) -> Result<(), String> {
        let service = self.directory.parent().unwrap_or(&self.directory);
        let settled = ports::settle(spec, &self.slot, service, self.status.port)?;
        self.status.port = settled.port;
        self.status.note = settled.note;
        Ok(())
    }

    /// Takes over what was written last, before the next process writes or the seat is left.
    fn drain(&mut self) {
        for capture in self.output.captures() {
            let _ = capture.move_bytes();
        }
    }

    fn note(&mut self, before: SeatState) {
        if before == SeatState::Backoff && self.state == SeatState::Starting {
            self.status.restarts += 1;
        }
        let shown = shown(self.state);
        if shown != self.status.state {
            self.status.since = now();
            self.status.state = shown;
        }
        if self.is_at_rest() {
            self.tree.release();
        }
        self.changed = true;
    }
}

/// Where an instance starts that somebody asked for: where the verb resolved the typed path to, while that exists.
fn directory_now(spec: &Spec) -> PathBuf {
    let resolved = Some(spec.directory.clone()).filter(|directory| directory.is_dir());
    resolved.or_else(|| typed_directory(spec)).unwrap_or_else(|| spec.directory.clone())
}

/// Where the path as it was typed leads now, if that is a directory.
fn typed_directory(spec: &Spec) -> Option<PathBuf> {
    spec.typed.as_ref()?.canonicalize().ok().filter(|directory| directory.is_dir())
}

fn shown(state: SeatState) -> State {
    match state {
        SeatState::Down => State::Stopped,
        SeatState::Starting => State::Starting,
        SeatState::Up => State::Running,
        SeatState::Stopping(Then::Rest | Then::Again) | SeatState::Killing(_) | SeatState::Clearing(_) => {
            State::Stopping
        }
        SeatState::Backoff => State::Backoff,
        SeatState::Crashed => State::Crashed,
    }
}

/// A number that differs from call to call: the clock's low digits.
fn jitter() -> u64 {
    u64::from(Timestamp::now().subsec_nanosecond().unsigned_abs())
}

/// Now, to the millisecond: more would pretend.
fn now() -> Timestamp {
    let now = Timestamp::now();
    now.round(jiff::Unit::Millisecond).unwrap_or(now)
}
