//! What every verb is given: the world, how long to wait for a lock, whether somebody pressed Ctrl-C, whom to tell.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use formation::{AppName, Exit};
use ps_apps::{AppLock, Error, World};
use ps_cli::say;
use ps_scheduler::{Cancel, Progress, Watch};
use ps_triggers::Triggers;
use rustix::process::Signal;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use crate::args::{Args, Verb};

/// How long to wait for a lock where nobody says how long.
const WAIT: Duration = Duration::from_secs(30);
/// How often a lock that somebody holds is tried again.
const TRY_AGAIN: Duration = Duration::from_millis(20);
/// From SIGTERM to SIGKILL for hooks of a verb that is told to end.
const GRACE_OF_HOOKS: Duration = Duration::from_secs(2);
/// How often hooks of a command that was killed are looked for.
const LOOK_FOR_HOOKS: Duration = Duration::from_millis(100);

/// What every verb is given.
pub(crate) struct Session {
    pub(crate) world: World,
    pub(crate) wait: Duration,
    quiet: bool,
    cancel: Cancel,
}

impl Session {
    /// Reads the environment. Verbs that change something end in good order on Ctrl-C; the others just end.
    pub(crate) fn open(args: &Args) -> Result<Self> {
        let reads =
            matches!(args.verb, Verb::Status(_) | Verb::Logs(_) | Verb::Inspect(_) | Verb::Processes(_));
        let cancel = if reads { Cancel::default() } else { on_signal()? };
        let quiet = args.quiet || say::quiet();
        let world = World::from_env()?;
        if !world.inside_dokku() {
            // Dokku's plugins may pass descriptors on to each other; nobody's hook or app needs those of our caller.
            ps_supervisor::close_descriptors_on_exec();
        }
        Ok(Self { world, wait: args.wait, quiet, cancel })
    }

    /// For a hook that changes what runs: it waits for the app's lock as a verb does where nothing else is said.
    pub(crate) fn of_hook(world: &World) -> Result<Self> {
        Ok(Self { world: world.clone(), wait: WAIT, quiet: say::quiet(), cancel: on_signal()? })
    }

    /// The same, which tells of nothing that is done: of what is done to many apps at once, the sum is told.
    pub(crate) fn quietly(&self) -> Self {
        Self { world: self.world.clone(), wait: self.wait, quiet: true, cancel: self.cancel.clone() }
    }

    /// The lock of an app: nobody else changes it meanwhile. Ctrl-C ends the wait for it.
    pub(crate) fn lock(&self, app: &AppName) -> Result<AppLock> {
        Ok(self.lock_unless(app, || Ok(false))?.expect("nothing else is waited for"))
    }

    /// The same, unless something else is true meanwhile, which is asked while somebody holds the lock. Then there is no lock.
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

    /// Hooks of a holder that was killed may still be at work. They are waited for as the lock is; somebody who cannot end
    /// them goes on in the end, and says so.
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

    /// Whether to go on: an error after Ctrl-C or SIGTERM.
    pub(crate) fn check(&self) -> Result<()> {
        Ok(self.cancel.check()?)
    }

    /// `-----> text`: a step begins.
    pub(crate) fn step(&self, text: &str) -> Result<()> {
        if self.quiet { Ok(()) } else { Ok(say::step(text)?) }
    }

    /// `=====> text`: a fact.
    pub(crate) fn fact(&self, text: &str) -> Result<()> {
        if self.quiet { Ok(()) } else { Ok(say::fact(text)?) }
    }

    /// A line of what was done.
    pub(crate) fn detail(&self, text: &str) -> Result<()> {
        if self.quiet { Ok(()) } else { Ok(say::detail(text)?) }
    }

    /// Runs a scheduler's long verb, telling what happens.
    pub(crate) fn watch<T>(&self, verb: impl FnOnce(&mut Watch<'_>) -> T) -> T {
        self.watch_locked(None, verb)
    }

    /// The same; a process that the verb runs to its end holds this lock as well.
    pub(crate) fn watch_locked<T>(
        &self,
        lock: Option<&AppLock>,
        verb: impl FnOnce(&mut Watch<'_>) -> T,
    ) -> T {
        let mut tell = |progress: Progress| {
            // A terminal that went away must not stop the work.
            let _ = if self.quiet { Ok(()) } else { say::detail(&line(&progress)) };
        };
        verb(&mut Watch { say: &mut tell, cancel: &self.cancel, lock: lock.and_then(AppLock::file) })
    }

    /// Calls the user's hooks for a trigger; no hook is success. They hold the app's lock with us.
    pub(crate) fn trigger(&self, lock: &AppLock, name: &str, arguments: &[&str]) -> Result<()> {
        let (variable, token) = lock.token();
        let triggers = Triggers::new(&self.world).with_env(variable, token);
        let is_over = AtomicBool::new(false);
        let called = thread::scope(|scope| {
            scope.spawn(|| self.end_hooks_when_told(lock, &is_over));
            let called = triggers.stream(name, arguments);
            is_over.store(true, Ordering::Relaxed);
            called
        });
        // A hook that ended because we were told to end is no failure of the hook.
        self.check()?;
        called.with_context(|| format!("trigger {name}"))
    }

    /// Watches beside a hook that is waited for: once the verb is told to end, so is everything that the hook started.
    fn end_hooks_when_told(&self, lock: &AppLock, is_over: &AtomicBool) {
        let mut told: Option<Instant> = None;
        while !is_over.load(Ordering::Relaxed) {
            if self.cancel.check().is_err() {
                let since = *told.get_or_insert_with(Instant::now);
                let is_late = since.elapsed() >= GRACE_OF_HOOKS;
                lock.signal_helpers(if is_late { Signal::KILL } else { Signal::TERM });
            }
            thread::sleep(TRY_AGAIN);
        }
    }
}

/// Set by Ctrl-C, SIGTERM, and what a terminal sends that goes away.
fn on_signal() -> Result<Cancel> {
    let flag = Arc::new(AtomicBool::new(false));
    // A caller that ignores SIGCHLD would keep us from learning how our children ended.
    signal_hook::flag::register(SIGCHLD, Arc::new(AtomicBool::new(false))).context("watch for signals")?;
    for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&flag)).context("watch for signals")?;
    }
    Ok(Cancel::from_flag(flag))
}

fn line(progress: &Progress) -> String {
    match progress {
        Progress::Note(text) | Progress::Output(text) => text.clone(),
        Progress::Started(slot) => format!("{slot} is starting"),
        Progress::Ready(slot) => format!("{slot} is up"),
        Progress::Ended(slot, exit) => format!("{slot} ended{}", exit.map(how).unwrap_or_default()),
    }
}

fn how(exit: Exit) -> String {
    format!(" ({exit})")
}
