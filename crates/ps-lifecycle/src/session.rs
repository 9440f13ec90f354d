//! What every verb needs: the directories of apps, how long to wait for a lock, whether it was cancelled by Ctrl-C, and
//! how to report progress.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use formation::{AppName, Exit};
use ps_apps::{AppLock, Error, World};
use ps_cli::{say, screen};
use ps_rollout::Fate;
use ps_scheduler::{Cancel, Change, DeployOutcome, Plan, Progress, Requester, Scheduler, Stopped};
use ps_triggers::Triggers;
use rustix::process::Signal;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use crate::args::{Args, Verb};
use crate::journal;
use crate::required::Required;
use crate::teller::Teller;

/// How long to wait for a lock without `--wait`.
const WAIT: Duration = Duration::from_secs(30);
/// The pause before a held lock is tried again.
const TRY_AGAIN: Duration = Duration::from_millis(20);
/// The grace period of hooks when a verb is cancelled.
const GRACE_OF_HOOKS: Duration = Duration::from_secs(2);
/// How often it is checked whether hooks of a killed command still run.
const LOOK_FOR_HOOKS: Duration = Duration::from_millis(100);

/// What every verb needs.
pub(crate) struct Session {
    pub(crate) world: World,
    pub(crate) wait: Duration,
    pub(crate) teller: Arc<Teller>,
    pub(crate) required: Arc<Required>,
    quiet: bool,
    cancel: Cancel,
}

impl Session {
    /// Reads the environment. Verbs that change something catch Ctrl-C to clean up; other verbs simply end, or pass the signal on.
    pub(crate) fn open(args: &Args) -> Result<Self> {
        let world = args.world.open()?;
        let reads = matches!(
            args.verb,
            Verb::Status(_)
                | Verb::Logs(_)
                | Verb::Events(_)
                | Verb::Inspect(_)
                | Verb::Processes(_)
                | Verb::Releases(_)
                | Verb::Tags(_)
                | Verb::Doctor(_)
                | Verb::Run(_)
                | Verb::Enter(_)
        );
        let cancel = if reads { Cancel::default() } else { on_signal()? };
        let quiet = args.quiet || say::quiet() || args.verb.prints_json();
        let teller = Arc::new(Teller::of(args, quiet)?);
        let quiet = quiet || teller.is_for_a_program();
        if !world.inside_dokku() {
            // Descriptors that we inherited are not passed on to hooks or apps. Plugins of Dokku pass some on to each other.
            ps_supervisor::close_descriptors_on_exec();
        }
        let required = Arc::new(Required::of(&args.verb));
        Ok(Self { world, wait: args.wait, teller, required, quiet, cancel })
    }

    /// For a hook that changes instances: it waits for the app's lock as long as a verb does by default.
    pub(crate) fn of_hook(world: &World) -> Result<Self> {
        let teller = Arc::new(Teller::in_lines());
        let (world, required) = (world.clone(), Arc::default());
        Ok(Self { world, wait: WAIT, teller, required, quiet: say::quiet(), cancel: on_signal()? })
    }

    /// The same session without progress messages, for verbs that report on many apps together.
    pub(crate) fn quietly(&self) -> Self {
        Self { quiet: true, ..self.again() }
    }

    /// The same session.
    pub(crate) fn again(&self) -> Self {
        let (world, teller) = (self.world.clone(), Arc::clone(&self.teller));
        let required = Arc::clone(&self.required);
        Self { world, wait: self.wait, teller, required, quiet: self.quiet, cancel: self.cancel.clone() }
    }

    /// Takes the lock of an app, so that no other program changes it. Ctrl-C ends waiting for it.
    pub(crate) fn lock(&self, app: &AppName) -> Result<AppLock> {
        Ok(self.lock_unless(app, || Ok(false))?.expect("nothing else is waited for"))
    }

    /// Takes the lock; while another program holds it, calls `is_done` again and again. `None`: `is_done` became true before the lock was
    /// free.
    pub(crate) fn lock_unless(
        &self,
        app: &AppName,
        mut is_done: impl FnMut() -> Result<bool>,
    ) -> Result<Option<AppLock>> {
        let began = Instant::now();
        loop {
            self.cancel.check()?;
            let taken = self.world.lock_app(app, Duration::ZERO);
            if matches!(taken, Err(Error::Busy { .. })) {
                if is_done()? {
                    return Ok(None);
                }
                if began.elapsed() < self.wait {
                    thread::sleep(TRY_AGAIN);
                    continue;
                }
            }
            let lock = taken.map_err(|error| ps_dokku::busy(&self.world, error))?;
            lock.unfinished().iter().for_each(|why| say::warning(&why.to_string()));
            return self.after_the_dead(lock, began).map(Some);
        }
    }

    /// Waits for hooks that a killed holder of the lock has left running, as long as it would wait for the lock. If they still run then, a
    /// warning is printed, and the verb continues.
    fn after_the_dead(&self, lock: AppLock, began: Instant) -> Result<AppLock> {
        while lock.was_left_by_the_dead()
            && let Some(orphans) = lock.orphans(Duration::ZERO)
        {
            self.cancel.check()?;
            if began.elapsed() >= self.wait {
                say::warning(&orphans.to_string());
                break;
            }
            thread::sleep(LOOK_FOR_HOOKS);
        }
        Ok(lock)
    }

    /// The same session, which counts as cancelled after that time.
    pub(crate) fn within(self, time: Duration) -> Self {
        Self { cancel: self.cancel.within(time), ..self }
    }

    /// Whether progress messages are suppressed.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Returns an error after Ctrl-C or SIGTERM.
    pub(crate) fn check(&self) -> Result<()> {
        Ok(self.cancel.check()?)
    }

    /// Prints `-----> text`: a step begins.
    pub(crate) fn step(&self, text: &str) -> Result<()> {
        if self.quiet { Ok(()) } else { Ok(say::step(text)?) }
    }

    /// Prints `=====> text`: a fact.
    pub(crate) fn fact(&self, text: &str) -> Result<()> {
        if self.quiet { Ok(()) } else { Ok(say::fact(text)?) }
    }

    /// Prints a detail of the current step.
    pub(crate) fn detail(&self, text: &str) -> Result<()> {
        if self.quiet { Ok(()) } else { Ok(say::detail(text)?) }
    }

    /// Runs a verb for an app, and reports its beginning and its end to the journal and to programs that read events.
    pub(crate) fn of_app<T>(&self, verb: &str, app: &AppName, deed: impl FnOnce() -> Result<T>) -> Result<T> {
        let deed = || self.required.hold(app, deed()?);
        self.teller.of_app(app, || journal::of_verb(&self.world, verb, app, deed))
    }

    /// Has a scheduler carry a plan out, and reports its progress. Ctrl-C cancels it. A process that the scheduler runs to its end inherits
    /// the lock.
    pub(crate) fn deploy(
        &self,
        lock: Option<&AppLock>,
        scheduler: &dyn Scheduler,
        plan: &Plan,
    ) -> Result<DeployOutcome, ps_scheduler::Error> {
        let app = &plan.release.app;
        self.teller.plans(plan);
        self.with_requester_holding(app, lock, |requester| {
            let done = scheduler.deploy(plan, requester);
            self.teller.concludes(app, &done);
            done
        })
        .inspect_err(|error| self.say_what_runs_on(plan, error))
    }

    /// After a failure, prints that the earlier instances run on unchanged. On a terminal the line of each instance already says so.
    fn say_what_runs_on(&self, plan: &Plan, error: &ps_scheduler::Error) {
        let ran = plan.steps.iter().any(|step| matches!(step.change, Change::Keep | Change::Replace));
        if let ps_scheduler::Error::DeployFailed { app, fates, aftermath, .. } = error
            && ran
            // If there is no fate for each slot, the aftermath contains the differences.
            && (aftermath.is_empty() || !fates.is_empty())
            && self.teller.is_in_lines()
            && !say::inside_dokku()
            && fates.values().all(|fate| matches!(fate, Fate::Kept(_) | Fate::Empty))
        {
            // A failure to print this does not change the outcome of the verb.
            let _ = self.detail(&format!("what ran of {app} before runs on"));
        }
    }

    /// Has instances stopped, and reports the progress.
    pub(crate) fn stop(
        &self,
        app: &AppName,
        stop: impl FnOnce(&mut Requester<'_>) -> Result<Option<Stopped>, ps_scheduler::Error>,
    ) -> Result<Option<Stopped>, ps_scheduler::Error> {
        self.with_requester(app, |requester| {
            let stopped = stop(requester)?;
            if let Some(stopped) = &stopped {
                self.teller.concludes_stop(app, stopped);
            }
            Ok(stopped)
        })
    }

    /// Runs a long operation of a scheduler, and reports its progress. Ctrl-C cancels it.
    pub(crate) fn with_requester<T>(&self, app: &AppName, verb: impl FnOnce(&mut Requester<'_>) -> T) -> T {
        self.with_requester_holding(app, None, verb)
    }

    /// As [`Session::with_requester`]; a process that the operation runs to its end inherits this lock.
    pub(crate) fn with_requester_holding<T>(
        &self,
        app: &AppName,
        lock: Option<&AppLock>,
        verb: impl FnOnce(&mut Requester<'_>) -> T,
    ) -> T {
        let mut aside = None;
        let mut tell = |progress: Progress| {
            match progress {
                Progress::Aside => aside = Some(screen::aside()),
                Progress::Alone => aside = None,
                Progress::Receipt(ref receipt) => {
                    journal::receipt(&self.world, app, receipt);
                    self.required.note(app, receipt);
                }
                Progress::Canary(ref finding) => journal::canary(&self.world, app, finding),
                _ => (),
            }
            if self.teller.hears(app, &progress) && !self.quiet {
                // Printing may fail because the terminal is gone, which must not stop the operation.
                let _ = line(&progress).map_or(Ok(()), |line| say::detail(&line));
            }
        };
        let mut requester =
            Requester { tell: &mut tell, cancel: &self.cancel, lock: lock.and_then(AppLock::file) };
        self.teller.watched(app, self.quiet, || verb(&mut requester))
    }

    /// Runs the user's hooks for a trigger, which inherit the app's lock. It is no error if there is no hook.
    pub(crate) fn trigger(&self, lock: &AppLock, name: &str, arguments: &[&str]) -> Result<()> {
        let (variable, token) = lock.token();
        let triggers = Triggers::new(&self.world).with_env(variable, token);
        let is_over = AtomicBool::new(false);
        let _aside = screen::aside();
        let called = thread::scope(|scope| {
            let watcher = scope.spawn(|| self.end_hooks_when_told(lock, &is_over));
            let called = triggers.stream(name, arguments);
            is_over.store(true, Ordering::Relaxed);
            watcher.thread().unpark();
            called
        });
        // If the hook ended because we were cancelled, the cancellation is the error.
        self.check()?;
        called.with_context(|| format!("trigger {name}"))
    }

    /// While a hook runs: ends everything that the hook started if the verb is cancelled.
    fn end_hooks_when_told(&self, lock: &AppLock, is_over: &AtomicBool) {
        let mut told: Option<Instant> = None;
        while !is_over.load(Ordering::Relaxed) {
            if self.cancel.check().is_err() {
                let since = *told.get_or_insert_with(Instant::now);
                let is_late = since.elapsed() >= GRACE_OF_HOOKS;
                lock.signal_helpers(if is_late { Signal::KILL } else { Signal::TERM });
            }
            thread::park_timeout(TRY_AGAIN);
        }
    }
}

/// A flag that is set by Ctrl-C, SIGTERM and the signals of a closing terminal.
fn on_signal() -> Result<Cancel> {
    let flag = Arc::new(AtomicBool::new(false));
    // If the caller ignores SIGCHLD, the exit statuses of our children would be lost.
    signal_hook::flag::register(SIGCHLD, Arc::new(AtomicBool::new(false))).context("watch for signals")?;
    for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&flag)).context("watch for signals")?;
    }
    Ok(Cancel::from_flag(flag))
}

/// The line that is printed for a progress message, if any.
fn line(progress: &Progress) -> Option<String> {
    match progress {
        Progress::Note(text) | Progress::Output(text) => Some(text.clone()),
        Progress::Started(slot) => Some(format!("{slot} is starting")),
        Progress::Ready(slot) => Some(format!("{slot} is up")),
        Progress::Ended(slot, exit) => Some(format!("{slot} ended{}", exit.map(how).unwrap_or_default())),
        Progress::CalledOff(slot) => Some(format!("{slot} did not run, and is not started any more")),
        Progress::Canary(finding) => Some(finding.to_string()),
        Progress::Receipt(receipt) => Some(receipt.to_string()).filter(|_| !receipt.is_empty()),
        Progress::Now { .. } | Progress::Fates(_) | Progress::Aside | Progress::Alone => None,
    }
}

fn how(exit: Exit) -> String {
    format!(" ({exit})")
}
