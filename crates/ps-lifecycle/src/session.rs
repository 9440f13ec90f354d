//! What every verb is given: the world, how long to wait for a lock, whether somebody pressed Ctrl-C, whom to tell.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ps_apps::{AppLock, AppName, Error, World};
use ps_cli::say;
use ps_scheduler::{Cancel, Exit, Progress, Watch};
use ps_triggers::Triggers;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::args::{Args, Verb};

/// How long to wait for a lock where nobody says how long.
const WAIT: Duration = Duration::from_secs(30);
/// How often a lock that somebody holds is tried again.
const TRY_AGAIN: Duration = Duration::from_millis(20);

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
        Ok(Self { world: World::from_env()?, wait: args.wait, quiet, cancel })
    }

    /// For a hook that changes what runs: it waits for the app's lock as a verb does where nothing else is said.
    pub(crate) fn of_hook(world: &World) -> Result<Self> {
        Ok(Self { world: world.clone(), wait: WAIT, quiet: say::quiet(), cancel: on_signal()? })
    }

    /// The lock of an app: nobody else changes it meanwhile. Ctrl-C ends the wait for it.
    pub(crate) fn lock(&self, app: &AppName) -> Result<AppLock> {
        let began = Instant::now();
        loop {
            self.cancel.check()?;
            match self.world.lock_app(app, Duration::ZERO) {
                Err(Error::Busy { .. }) if began.elapsed() < self.wait => thread::sleep(TRY_AGAIN),
                taken => return Ok(taken?),
            }
        }
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

    /// Runs a scheduler's long verb, telling what happens.
    pub(crate) fn watch<T>(&self, verb: impl FnOnce(&mut Watch<'_>) -> T) -> T {
        let mut tell = |progress: Progress| {
            // A terminal that went away must not stop the work.
            let _ = if self.quiet { Ok(()) } else { say::detail(&line(&progress)) };
        };
        verb(&mut Watch { say: &mut tell, cancel: &self.cancel })
    }

    /// Calls the user's hooks for a trigger; no hook is success. They hold the app's lock with us.
    pub(crate) fn trigger(&self, lock: &AppLock, name: &str, arguments: &[&str]) -> Result<()> {
        let (variable, token) = lock.token();
        let triggers = Triggers::new(&self.world).with_env(variable, token);
        triggers.stream(name, arguments).with_context(|| format!("trigger {name}"))
    }
}

/// Set by Ctrl-C and SIGTERM.
fn on_signal() -> Result<Cancel> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
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
