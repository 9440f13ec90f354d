//! A run: one life of a process tree in a slot. Its number is never used again, so its FIFOs, its cgroup and the marks of
//! its processes belong to it alone, and two runs can live side by side in one slot. It asks the run table what to do and
//! does it. What follows on its end is decided by its seat.

mod checking;
mod descent;
mod emptied;
mod end;
mod health;
mod launch;
mod memory;
mod ordered;
mod recorded;
mod stop_command;
mod taken;
mod time;
mod written;

use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use formation::{Exit, RestartReason, State};
use jiff::Timestamp;
use os_process::Tree;
use ps_rollout::{Lane, Role};

use crate::diary::Decision;
use crate::health::CommandTry;
pub(crate) use crate::health::LEAST_LIFE;
use crate::limits::Limited;
use crate::means::Means;
use crate::outputs::Outputs;
use crate::ports;
use crate::process::Process;
use crate::restart::Death;
use crate::run_table::{RunAction, RunEvent, RunState};
use crate::spec::Spec;
use crate::status::{self, Status, Unrecorded};

use checking::Checking;
use descent::Descent;
pub(crate) use end::{Cause, Terms};
pub(crate) use stop_command::{MAIN_PID, NUMBER as STOP_COMMAND};

/// After how long SIGKILL is sent again while something of the tree lives.
const KILL_AGAIN: Duration = Duration::from_millis(100);
/// How often a tree is looked at right after its main process has ended, and for how long.
const LOOK_SOON: Duration = Duration::from_millis(1);
const SOON_GONE: Duration = Duration::from_millis(20);
/// After how long an error with the run's directory or outputs is looked at again.
pub(crate) const TRY_AGAIN: Duration = Duration::from_secs(1);
/// After how long a process that survives SIGKILL is reported. It may be in an uninterruptible sleep.
const UNKILLABLE: Duration = Duration::from_secs(5);

const IN_THE_BACKGROUND: &str = "it left processes running when it ended: it seems to put itself into the background; \
     run it in the foreground (nginx -g 'daemon off;', gunicorn without --daemon)";

/// One life in a slot.
#[derive(Debug)]
pub(crate) struct Run {
    /// Its status, in the form that is written to files and sent to clients.
    pub(crate) status: Box<Status>,
    /// Why it is ending or has ended.
    pub(crate) cause: Option<Cause>,
    /// The rules for its end from its own revision, while the app has another one. Runs with the same rules share them.
    pub(crate) terms: Option<Arc<Terms>>,
    state: RunState,
    process: Option<Process>,
    descent: Descent,
    tree: Tree,
    outputs: Outputs,
    timer: Option<Instant>,
    /// When it will have taken as long as it may.
    ends_at: Option<Instant>,
    /// When an error with its directory or outputs is looked at again.
    try_again: Option<Instant>,
    /// Whether its outputs could not be opened at the last attempt.
    is_broken: bool,
    written: Written,
    /// The time in which nothing could be recorded of it, until its seat has told that.
    gap: Option<Unrecorded>,
    /// Its process and its part in the slot, as they stand in its own file.
    own_file: Option<(Option<u32>, Option<Role>)>,
    killed_since: Option<Instant>,
    /// Processes of the tree that we are not permitted to signal, for people.
    obstacle: Option<String>,
    /// When its main process ended, while other processes of the tree may live.
    orphaned: Option<Instant>,
    /// The turn in which the tree was found empty for the first time.
    looked_empty: Option<u64>,
    changed: bool,
    /// The last reported state, and since when the run had it.
    told: (State, Timestamp),
    /// Its checks and its watchdog, if it has any.
    checking: Option<Box<Checking>>,
    /// The stop command, while it runs.
    stop_command: Option<Box<CommandTry>>,
    /// Whether it has a new main process (`MAINPID`) that the event loop does not watch yet.
    has_new_main: bool,
    /// What it is limited by, or how its memory is measured, if something was set.
    limited: Option<Box<Limited>>,
    /// How much memory it uses, where that is more than it should.
    beyond: Option<u64>,
}

/// Where the current status has been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    /// In `state` and in the run's own files.
    Everywhere,
    /// In `state` alone, because the run's own files could not be written.
    InState,
    /// Nowhere.
    Nowhere,
}

/// Why a run was not started, with a reason for people.
#[derive(Debug)]
pub(crate) enum Obstacle {
    /// Its directory or its outputs cannot be used. That does not count as a death of its process.
    Place(String),
    /// Its port, its variables or its command cannot be used, or the system did not start the process.
    Refused(String),
}

impl Run {
    /// A run that is about to be started in a slot; `status` says with which number and lane.
    pub(crate) fn new(slot: &Arc<Path>, status: Box<Status>, means: &Means) -> Box<Self> {
        let tree = means.new_tree(&status.slot, status.run);
        let outputs = Outputs::of_new_run(slot, status.run, means.descriptors);
        let mut run = Self::without_life(status, tree, outputs);
        run.state = RunState::Preparing;
        run
    }

    /// A run without a process. It is boxed, as its status is: functions that pass runs on would otherwise have copies on the stack,
    /// which never becomes smaller again.
    pub(crate) fn without_life(status: Box<Status>, tree: Tree, outputs: Outputs) -> Box<Self> {
        Box::new(Self {
            cause: None,
            terms: None,
            state: RunState::Ended,
            process: None,
            descent: Descent::Unknown,
            tree,
            outputs,
            timer: None,
            ends_at: None,
            try_again: None,
            is_broken: false,
            written: Written::Everywhere,
            gap: None,
            own_file: None,
            killed_since: None,
            obstacle: None,
            orphaned: None,
            looked_empty: None,
            changed: true,
            told: (status.state, status.since),
            checking: None,
            stop_command: None,
            has_new_main: false,
            limited: None,
            beyond: None,
            status,
        })
    }

    /// A run whose process an earlier supervisor left running, and perhaps did not come to write down.
    pub(crate) fn adopted(process: Process, mut run: Box<Self>) -> Box<Self> {
        run.status.process = Some(process.id().clone());
        run.state = match run.status.state {
            State::Starting => RunState::Starting,
            State::Unready => RunState::Unready,
            _ => RunState::Ready,
        };
        (run.descent, run.process) = (Descent::of(&process), Some(process));
        run
    }

    /// A run whose main process is gone and that left other processes behind: they are killed at once.
    pub(crate) fn being_cleared(mut run: Box<Self>, cause: Cause) -> Box<Self> {
        run.state = match cause {
            Cause::ByItself(_) => RunState::Clearing,
            Cause::Asked | Cause::Failed(_) => RunState::Killing,
        };
        (run.cause, run.timer) = (Some(cause), Some(Instant::now()));
        run
    }

    /// Its number.
    pub(crate) fn number(&self) -> u64 {
        self.status.run
    }

    /// Its state.
    pub(crate) fn state(&self) -> RunState {
        self.state
    }

    /// Its main process.
    pub(crate) fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// Its process tree.
    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The descriptor that reports the end of its main process, if that is not a child of this process.
    pub(crate) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.process.as_ref().and_then(Process::pidfd)
    }

    /// How its process ended, as recorded by another process that saw it.
    pub(crate) fn exit_seen(&mut self) -> Option<Exit> {
        // In the directory of an earlier run is how that one ended.
        if self.outputs.is_at_home() { status::read_exit(&self.outputs.directory()) } else { None }
    }

    /// Its output streams.
    pub(crate) fn outputs(&mut self) -> &mut Outputs {
        &mut self.outputs
    }

    /// Whether its outputs are open.
    pub(crate) fn has_outputs(&self) -> bool {
        self.outputs.are_open()
    }

    /// Becomes the next run in the same place, after the earlier one has ended. What the status says of the slot is kept.
    pub(crate) fn succeed(&mut self, number: u64, tree: Tree) {
        self.outputs.drain();
        self.outputs.pass_to(number);
        self.tree = tree;
        self.status.run = number;
        self.status.log = self.outputs.began();
        (self.cause, self.killed_since, self.looked_empty) = (None, None, None);
        self.state = RunState::Preparing;
    }

    /// Starts the process as `spec` says, in its directory. The status of a job is given to `write` before that, so that no later
    /// supervisor takes it for one that was not started.
    ///
    /// # Errors
    /// Why not; nothing of it lives then. After [`Obstacle::Place`] it can be started again.
    #[inline(never)]
    pub(crate) fn start(
        &mut self,
        spec: &Spec,
        means: &mut Means,
        write: &mut dyn FnMut(&Status, &mut Means),
    ) -> Result<(), Obstacle> {
        self.timer = None;
        self.changed = true;
        self.status.deaths.wait_until(None);
        let launched = self.launch(spec, means, write);
        self.status.begins = false;
        match launched {
            Ok(process) => {
                self.status.process = Some(process.id().clone());
                (self.status.reason, self.status.says, self.status.program) = (None, None, None);
                means.mains.insert(process.pid());
                (self.process, self.descent) = (Some(process), Descent::FromUs);
                self.handle(RunEvent::Spawned, means);
                self.begin_health(spec, means);
                Ok(())
            }
            Err(Obstacle::Place(reason)) => {
                self.status.reason = Some(reason.clone());
                Err(Obstacle::Place(reason))
            }
            Err(Obstacle::Refused(reason)) => {
                self.status.reason = Some(reason.clone());
                self.handle(RunEvent::Refused, means);
                Err(Obstacle::Refused(reason))
            }
        }
    }

    /// Whether its main process has ended at once and left others running.
    pub(crate) fn is_in_the_background(&self) -> bool {
        self.status.note.as_deref() == Some(IN_THE_BACKGROUND)
    }

    /// Notes the end of its main process; `exit` is `None` if it is unknown how it ended. Returns the death, and
    /// whether the process ended by itself; `None` if the run has no process.
    pub(crate) fn reap(&mut self, exit: Option<Exit>, means: &mut Means) -> Option<(Death, bool)> {
        let process = self.process.take()?;
        means.mains.remove(&process.pid());
        let lifetime = process.lifetime();
        let is_by_itself = !self.state.is_ending();
        self.orphaned = Some(Instant::now());
        self.status.process = None;
        self.status.last_exit = exit;
        self.status.out_of_memory = self.reason_of_memory(exit);
        self.count_kills();
        self.record_end(exit, lifetime, means);
        if let Some(exit) = exit.filter(|_| !self.outputs.is_piped()) {
            status::write_exit(&self.outputs.directory(), exit);
        }
        let is_short = lifetime < LEAST_LIFE && exit.is_some_and(Exit::is_success);
        if is_short && !self.tree.is_empty(None, &mut means.census) {
            self.status.note = Some(IN_THE_BACKGROUND.to_owned());
        }
        self.handle(RunEvent::Died, means);
        self.changed = true;
        let why = match self.cause {
            Some(Cause::Failed(_)) => Some(RestartReason::Unhealthy),
            _ if self.status.out_of_memory.is_some_and(|killed| killed.main) => {
                Some(RestartReason::OutOfMemory)
            }
            _ => None,
        };
        let at = os_process::since_boot();
        let death = Death { lifetime, at, exit, is_job: self.status.job, why };
        Some((death, is_by_itself))
    }

    /// Acts on timers, checks and an empty tree. Whether the run has come to its end.
    #[inline(never)]
    pub(crate) fn look(&mut self, now: Instant, means: &mut Means) -> bool {
        let was_live = self.state.is_live();
        self.look_at_health(now, means);
        self.look_at_time(now, means);
        self.look_at_stop_command(now, means);
        self.look_at_memory(now, means);
        if self.is_clearing() && self.has_emptied(means) {
            self.name_obstacle(None);
            self.handle(RunEvent::Empty, means);
        }
        if self.timer.is_some_and(|due| due <= now) {
            self.timer = None;
            self.handle(RunEvent::Due, means);
        }
        if self.try_again.is_some_and(|due| due <= now) {
            self.try_again = None;
            self.mend();
        }
        was_live && !self.state.is_live()
    }

    /// If processes have survived SIGKILL for long, a message for people about it. Returned only once.
    pub(crate) fn take_refusal_to_end(&mut self) -> Option<String> {
        let since = self.killed_since.filter(|_| self.state.is_live())?;
        if since.elapsed() < UNKILLABLE {
            return None;
        }
        self.killed_since = None;
        Some(self.obstacle.clone().unwrap_or_else(|| "SIGKILL does not end it".to_owned()))
    }

    #[inline(never)]
    fn handle(&mut self, event: RunEvent, means: &mut Means) {
        let before = self.state;
        let (state, action) = before.after(event);
        self.state = state;
        means.diary.decide(|| Decision::of_run(&self.status, before, event, (state, action)));
        let (main, now) = (self.process.as_ref().map(Process::pid), Instant::now());
        if action.looks_for_processes() {
            means.bring_inside();
        }
        match action {
            RunAction::Nothing => (),
            // One that has written nothing yet may do so when the disk is full. At its start there is no time for that.
            RunAction::Tell => self.outputs.prepare_for_loss(),
            RunAction::Command => self.begin_stop_command(now, means),
            RunAction::Terminate => {
                self.give_up_stop_command(means);
                let terms = self.terms(means);
                terms.ask_to_end(&self.tree, main, &mut means.census);
                self.timer = Some(now + terms.grace);
            }
            RunAction::Kill => {
                if !self.leaves_nothing(means) {
                    self.tree.kill(main, &mut means.census);
                    self.name_obstacle(self.tree.beyond_reach(main, &mut means.census));
                }
                self.timer = Some(now + KILL_AGAIN);
                self.killed_since = self.killed_since.or_else(|| (before != state).then_some(now));
            }
            RunAction::Finish => {
                self.timer = None;
                self.outputs.drain();
                self.count_lost();
                self.tree.release();
                self.give_up_limits();
            }
        }
        self.changed |= state != before || action != RunAction::Nothing;
    }

    /// The rules for its end: those of its own revision, else the app's.
    pub(crate) fn terms(&self, means: &Means) -> Arc<Terms> {
        let of_app = || Arc::new(Terms::of(&means.spec, &self.status.slot.process_type));
        self.terms.clone().unwrap_or_else(of_app)
    }

    /// Shows in the status which processes keep the tree from ending.
    fn name_obstacle(&mut self, obstacle: Option<String>) {
        if self.obstacle != obstacle {
            self.status.reason.clone_from(&obstacle);
            self.obstacle = obstacle;
            self.changed = true;
        }
    }

    /// Tries again to open its outputs and to write its status; if that fails, it is tried again later.
    pub(crate) fn mend(&mut self) {
        let trouble = self.outputs.open().err();
        let is_news = trouble.is_some() && trouble != self.status.reason;
        if is_news || (trouble.is_none() && self.is_broken) {
            self.status.reason.clone_from(&trouble);
            self.changed = true;
        }
        self.is_broken = trouble.is_some();
        self.count_lost();
        self.changed |= self.written != Written::Everywhere;
        self.try_again = self.is_broken.then(|| Instant::now() + TRY_AGAIN);
    }

    /// When it must be looked at again, at the latest.
    pub(crate) fn due(&self, now: Instant, poll: Duration) -> Option<Instant> {
        // Most processes that end with their main process are gone within a millisecond, so the tree is looked at often at
        // first.
        let is_fresh = self.orphaned.is_some_and(|since| now.saturating_duration_since(since) < SOON_GONE);
        let look = if is_fresh { poll.min(LOOK_SOON) } else { poll };
        let emptied = self.is_clearing().then(|| now + look);
        [self.timer, self.ends_at, self.try_again, emptied, self.health_due(now), self.memory_due()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Removes the files of a run that has ended, except its logs, and gives back its port on the second lane.
    pub(crate) fn clear_away(&mut self, means: &mut Means) {
        self.outputs.remove();
        if self.status.lane == Lane::Second {
            ports::release(&means.service, &self.status.slot, &mut means.claims);
        }
    }
}
