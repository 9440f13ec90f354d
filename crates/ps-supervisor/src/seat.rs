//! A seat: the place of one instance, with all that belongs to it. It asks the table what to do and does it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use formation::{Exit, Slot, State};
use jiff::Timestamp;
use os_process::{Census, Tree};
use rustix::process::Signal;

use crate::means::Means;
use crate::outputs::Outputs;
use crate::ports::{self, Claims};
use crate::process::{self, Given, Process};
use crate::restart::{Deaths, is_job};
use crate::spec::Spec;
use crate::status::Status;
use crate::take_over;
use crate::transition::{Action, Event, SeatState, Verdict, transition};

/// How soon a tree that would not die is killed again.
const KILL_AGAIN: Duration = Duration::from_millis(100);
/// How soon a seat whose place cannot be used is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(1);

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
    outputs: Outputs,
    deaths: Deaths,
    status: Status,
    timer: Option<Instant>,
    /// When what is wrong with its place is looked at again, if something is.
    try_again: Option<Instant>,
    is_broken: bool,
    is_unwritten: bool,
    /// What of its tree does not end because we may not end it.
    obstacle: Option<String>,
    /// The turn in which nothing was left for the first time.
    looked_empty: Option<u64>,
    changed: bool,
}

impl Seat {
    /// An empty seat, or one whose process an earlier supervisor left running: that one is adopted. What else is left
    /// of an earlier process is killed first.
    pub(crate) fn open(
        directory: PathBuf,
        slot: Slot,
        tree: Tree,
        port: Option<u16>,
        outputs: Outputs,
        means: &mut Means,
    ) -> Self {
        let earlier = Status::read(&directory).ok().flatten();
        let begin = take_over::begin(&slot, earlier, &tree, means);
        Self {
            status: Status { port, state: shown(begin.state), ..begin.status },
            timer: begin.is_due.then(Instant::now),
            outputs,
            slot,
            directory,
            state: begin.state,
            process: begin.process,
            tree,
            deaths: Deaths::default(),
            try_again: None,
            is_broken: false,
            is_unwritten: false,
            obstacle: None,
            looked_empty: None,
            changed: true,
        }
    }

    /// Lets something happen to the seat, and everything that follows from it.
    pub(crate) fn handle(&mut self, event: Event, means: &mut Means) {
        if event == Event::Restart || (event == Event::Start && self.is_at_rest()) {
            // Whoever asks for it anew gives it all its tries.
            self.deaths = Deaths::default();
        }
        let mut next = Some(event);
        while let Some(event) = next {
            let before = self.state;
            let (state, action) = transition(before, event);
            self.state = state;
            next = self.act(action, event, means);
            if state != before || action != Action::Nothing {
                self.note(before);
            }
        }
    }

    /// Its main process ended: `exit` is `None` if nobody could see how.
    pub(crate) fn reap(&mut self, exit: Option<Exit>, means: &mut Means) {
        let Some(process) = self.process.take() else { return };
        self.status.process = None;
        self.status.last_exit = exit;
        self.deaths.count(process.lifetime());
        let is_short = process.lifetime() < LEAST_LIFE && exit.is_some_and(Exit::is_success);
        if is_short && !self.tree.is_empty(None, &mut means.census) {
            self.status.note = Some(IN_THE_BACKGROUND.to_owned());
        }
        let verdict = self.deaths.verdict(means.spec.restart_policy, exit, self.status.job);
        self.handle(Event::Died(verdict), means);
        self.look(Instant::now(), means);
    }

    /// Looks at the clock, and at the tree if it is meant to become empty.
    pub(crate) fn look(&mut self, now: Instant, means: &mut Means) {
        if self.is_ending() && self.process.is_none() && self.has_emptied(&mut means.census) {
            self.name_obstacle(None);
            self.handle(Event::Empty, means);
        }
        if self.timer.is_some_and(|due| due <= now) {
            self.timer = None;
            self.handle(Event::Due, means);
        }
        if self.try_again.is_some_and(|due| due <= now) {
            self.try_again = None;
            self.mend();
        }
    }

    /// Whether nothing is left. Without a cgroup that must have been so twice: whoever forks while /proc is read can be
    /// missed once.
    fn has_emptied(&mut self, census: &mut Census) -> bool {
        let is_empty = self.tree.is_empty(None, census);
        let turn = census.turn();
        let before = *self.looked_empty.get_or_insert(turn);
        if !is_empty {
            self.looked_empty = None;
        }
        is_empty && (self.tree.is_exact() || before != turn)
    }

    /// Opens what could not be opened and writes what could not be written; if that fails, later again.
    fn mend(&mut self) {
        let opened = self.outputs.open();
        let is_open = opened.is_ok();
        match opened {
            Err(reason) if self.status.reason.as_ref() != Some(&reason) => {
                self.status.reason = Some(reason);
                self.changed = true;
            }
            Ok(()) if self.is_broken => {
                self.status.reason = None;
                self.changed = true;
            }
            Ok(()) | Err(_) => (),
        }
        self.is_broken = !is_open;
        self.changed |= self.is_unwritten;
        self.try_again = (!is_open).then(|| Instant::now() + TRY_AGAIN);
    }

    /// Writes the status again if what lies there is not what was written.
    pub(crate) fn check_file(&mut self) {
        if Status::read(&self.directory).ok().flatten().as_ref() != Some(&self.status) {
            self.changed = true;
        }
    }

    /// Opens the outputs for the first time; trouble with them is tried again later.
    pub(crate) fn open_outputs(&mut self) {
        self.try_again = None;
        self.mend();
    }

    /// When it must be looked at again, at the latest.
    pub(crate) fn due(&self, now: Instant, poll: Duration) -> Option<Instant> {
        let emptied = (self.is_ending() && self.process.is_none()).then(|| now + poll);
        [self.timer, self.try_again, emptied].into_iter().flatten().min()
    }

    /// Its slot.
    pub(crate) fn slot(&self) -> &Slot {
        &self.slot
    }

    /// Whether nothing runs and nothing is about to.
    pub(crate) fn is_at_rest(&self) -> bool {
        matches!(self.state, SeatState::Down | SeatState::Done | SeatState::Crashed)
    }

    /// Whether what it is doing has been written down.
    pub(crate) fn is_written(&self) -> bool {
        !self.is_unwritten
    }

    /// Its processes, as far as they can be told from others.
    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Its main process.
    pub(crate) fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// The revision its process was started from.
    pub(crate) fn revision(&self) -> u64 {
        self.status.revision
    }

    /// How long it waits before it is started again, if it waits for that.
    pub(crate) fn starts_in(&self) -> Option<Duration> {
        let due = self.timer.filter(|_| self.state == SeatState::Backoff)?;
        Some(due.saturating_duration_since(Instant::now()))
    }

    /// What is being ended is killed now, before its grace period is over.
    pub(crate) fn hurry(&mut self, means: &mut Means) {
        if self.is_ending() {
            self.handle(Event::Due, means);
        }
    }

    /// Sends a signal to everything that runs in it.
    pub(crate) fn signal(&self, signal: Signal, census: &mut Census) {
        if !self.is_at_rest() {
            self.tree.signal(self.process.as_ref().map(Process::pid), signal, census);
        }
    }

    /// Its output streams.
    pub(crate) fn outputs(&mut self) -> &mut Outputs {
        &mut self.outputs
    }

    /// Whether its outputs are open.
    pub(crate) fn has_outputs(&self) -> bool {
        self.outputs.are_open()
    }

    /// Whether it was stopped, and something of it may run on that nobody can tell from others.
    pub(crate) fn is_unsure(&self) -> bool {
        self.state == SeatState::Down && !self.tree.is_exact()
    }

    /// Says beside its state what is to be known of it.
    pub(crate) fn remark(&mut self, reason: Option<String>) {
        self.status.reason = reason;
    }

    /// Whether its status changed since it was last told.
    pub(crate) fn has_changed(&self) -> bool {
        self.changed
    }

    /// The status, if it changed since this was last asked; it has been written to disk.
    pub(crate) fn take_change(&mut self) -> Option<Status> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        // A disk that takes no status must not stop the processes; whoever watches is told, and it is written later.
        self.is_unwritten = self.status.write(&self.directory).is_err();
        if self.is_unwritten {
            self.try_again.get_or_insert_with(|| Instant::now() + TRY_AGAIN);
        }
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

    fn act(&mut self, action: Action, event: Event, means: &mut Means) -> Option<Event> {
        let main = self.process.as_ref().map(Process::pid);
        let now = Instant::now();
        match action {
            Action::Nothing => None,
            // The timer of a seat that waits is due: nobody asked, it restarts where it ran.
            Action::Spawn if event == Event::Due => {
                let directory = self.directory_again(&means.spec);
                Some(self.spawn(&directory, means))
            }
            Action::Spawn => Some(self.spawn(&directory_now(&means.spec), means)),
            Action::Terminate => {
                self.tree.terminate(main, &mut means.census);
                self.timer = Some(now + means.spec.grace());
                None
            }
            Action::Kill => {
                self.tree.kill(main, &mut means.census);
                self.name_obstacle(self.tree.beyond_reach(main, &mut means.census));
                self.timer = Some(now + KILL_AGAIN);
                None
            }
            Action::Delay => {
                let delay = if self.is_broken { TRY_AGAIN } else { self.deaths.delay(jitter()) };
                self.timer = Some(now + delay);
                self.outputs.drain();
                None
            }
            Action::Announce => {
                self.timer = None;
                self.outputs.drain();
                None
            }
        }
    }

    /// Says what keeps its tree from ending, for as long as it does.
    fn name_obstacle(&mut self, obstacle: Option<String>) {
        if self.obstacle != obstacle {
            self.status.reason.clone_from(&obstacle);
            self.obstacle = obstacle;
            self.changed = true;
        }
    }

    /// Where an instance that ended by itself is started again: where it ran, while that exists.
    fn directory_again(&self, spec: &Spec) -> PathBuf {
        let own = self.status.directory.clone().filter(|directory| directory.is_dir());
        own.or_else(|| typed_directory(spec)).unwrap_or_else(|| spec.directory.clone())
    }

    fn spawn(&mut self, directory: &Path, means: &mut Means) -> Event {
        let spec = &means.spec.at(directory);
        self.timer = None;
        self.looked_empty = None;
        self.outputs.drain();
        let has_finished =
            self.status.revision == means.spec.revision && (self.status.done || self.status.job);
        if let Err(reason) = self.outputs.prepare() {
            return self.is_broken_by(reason, means);
        }
        self.status.log_offsets = self.outputs.offsets();
        self.status.revision = means.spec.revision;
        self.status.job = is_job(means.spec.restart_policy, has_finished);
        self.status.directory = Some(spec.directory.clone());
        let environment = self.settle_port(spec, &mut means.claims);
        let environment =
            environment.and_then(|()| means.environments.of(spec, &self.slot, self.status.port));
        let Some(output) = self.outputs.output() else {
            return self.is_broken_by("its output is not open".to_owned(), means);
        };
        let descriptors = means.descriptors;
        let spawned = environment.and_then(|environment| {
            let given = Given { tree: &self.tree, environment: &environment, output, descriptors };
            process::spawn(spec, &self.slot, &given)
        });
        match spawned {
            Ok(process) => {
                self.status.process = Some(process.id().clone());
                self.status.reason = None;
                self.is_broken = false;
                self.process = Some(process);
                Event::Ready
            }
            Err(reason) => {
                self.status.reason = Some(reason);
                self.deaths.count(Duration::ZERO);
                Event::Died(self.deaths.verdict(means.spec.restart_policy, None, false))
            }
        }
    }

    /// Sees to it that the port is free; another one takes the place of one that is not, and a note says so.
    fn settle_port(&mut self, spec: &Spec, claims: &mut Claims) -> Result<(), String> {
        let service = self.directory.parent().unwrap_or(&self.directory);
        let settled = ports::settle(spec, &self.slot, service, self.status.port, claims)?;
        self.status.port = settled.port;
        self.status.note = settled.note;
        Ok(())
    }

    /// Its place cannot be used: that is no death of its process, and is tried again for as long as it lasts.
    fn is_broken_by(&mut self, reason: String, means: &Means) -> Event {
        self.status.reason = Some(reason);
        self.status.revision = means.spec.revision;
        self.is_broken = true;
        Event::Died(Verdict::Again)
    }

    fn note(&mut self, before: SeatState) {
        if before == SeatState::Backoff && self.state == SeatState::Starting {
            self.status.restarts += 1;
        }
        self.status.done = self.state == SeatState::Done;
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

/// The word for a state in files and on terminals.
pub(crate) fn shown(state: SeatState) -> State {
    match state {
        SeatState::Down | SeatState::Done => State::Stopped,
        SeatState::Starting => State::Starting,
        SeatState::Up => State::Running,
        SeatState::Stopping(_) | SeatState::Killing(_) | SeatState::Clearing(_) => State::Stopping,
        SeatState::Backoff => State::Backoff,
        SeatState::Crashed => State::Crashed,
    }
}

/// A number that differs from call to call: the clock's low digits.
fn jitter() -> u64 {
    u64::from(Timestamp::now().subsec_nanosecond().unsigned_abs())
}

/// Now, to the millisecond: more would pretend.
pub(crate) fn now() -> Timestamp {
    let now = Timestamp::now();
    now.round(jiff::Unit::Millisecond).unwrap_or(now)
}
