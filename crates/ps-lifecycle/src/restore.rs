//! `restore`: starts what was running before a reboot, and nothing else. All apps are started at once and then waited for
//! together; at the end, apps with missing instances are named.

mod sum;

use std::time::{Duration, Instant};

use anyhow::{Error, Result, anyhow};
use formation::{AppName, Which};
use ps_apps::App;
use ps_cli::exit::{Outcome, Refusal};
use ps_scheduler::Intent;

use self::sum::VERB;
use crate::args::RestoreArgs;
use crate::each::{self, Outcomes};
use crate::session::Session;
use crate::{elsewhere, start};

/// How many apps are waited for at the same time. Each takes a few file descriptors, and a program usually has 1024.
const TOGETHER: i32 = 128;

/// Starts what was running before a reboot; apps that were stopped by hand stay stopped
pub(crate) fn run(session: &Session, args: &RestoreArgs) -> Result<Outcome> {
    args.all.check()?;
    match &args.app {
        Some(name) => {
            let app = session.world.app(name)?;
            let limited = session.again().within(args.deadline);
            let until = Instant::now() + args.deadline;
            let restored = session.of_app(VERB, &app.name, || restore(&limited, &app, until));
            restored.map_err(|error| late(session, args.deadline, error))?;
            Ok(Outcome::Done)
        }
        None if args.all.all => all(session, args),
        None => Err(Refusal::usage("name the app, or --all: ps-lifecycle restore (<app>|--all)")),
    }
}

fn all(session: &Session, args: &RestoreArgs) -> Result<Outcome> {
    let (at_a_time, deadline) = (each::at_a_time(args.all.parallel_or(TOGETHER)), args.deadline);
    let Wanted { apps, held, unreadable } = Wanted::of(session)?;
    session.step(&format!("Restoring {}", sum::apps(apps.len())))?;
    let outcomes = Outcomes::default();
    let failures = each::side_by_side(&apps, at_a_time, &|app: &App| {
        // The time limit of an app begins when the app's turn comes.
        let quiet = session.quietly().within(deadline);
        let until = Instant::now() + deadline;
        let restored = || quiet.of_app(VERB, &app.name, || restore(&quiet, app, until));
        outcomes.of(&app.name, restored).map_err(|error| late(session, deadline, error))
    });
    session.check()?;
    let all = apps.len() + unreadable.len();
    let missing = sum::tell(session, &apps, &held, failures)?;
    let rows = missing.rows(&outcomes, &held, &unreadable);
    if args.all.json {
        each::write(&rows, true)?;
    }
    let missing: Vec<(AppName, Error)> = unreadable.into_iter().chain(missing.lacking).collect();
    each::conclude(&missing, all)
}

/// The error of an app that was cancelled by its time limit, and not by an interruption of the verb.
fn late(session: &Session, deadline: Duration, error: Error) -> Error {
    let is_cancelled = matches!(error.downcast_ref(), Some(ps_scheduler::Error::Cancelled));
    if is_cancelled && session.check().is_ok() {
        return anyhow!("not up within {} s", deadline.as_secs());
    }
    error
}

/// The deployed apps, by whether they are to be restored.
#[derive(Default)]
struct Wanted {
    apps: Vec<App>,
    held: Vec<App>,
    /// Apps whose files cannot be read; the others are restored nevertheless.
    unreadable: Vec<(AppName, Error)>,
}

impl Wanted {
    fn of(session: &Session) -> Result<Self> {
        let mut wanted = Self::default();
        for app in session.world.apps()? {
            if session.world.is_unfinished(&app.name) {
                // Taking the lock also records the outcome of a deploy that was killed.
                drop(session.world.lock_app(&app.name, Duration::ZERO));
            }
            match is_wanted(session, &app) {
                Ok(Some(true)) => wanted.apps.push(app),
                Ok(Some(false)) => wanted.held.push(app),
                Ok(None) => (),
                Err(error) => wanted.unreadable.push((app.name, error)),
            }
        }
        Ok(wanted)
    }
}

/// Whether an app is to be restored; `None`: it was never deployed, or Dokku restores it.
fn is_wanted(session: &Session, app: &App) -> Result<Option<bool>> {
    let world = &session.world;
    let is_deployed = !elsewhere::runs(world, &app.name)? && ps_dokku::is_deployed(world, &app.name)?;
    Ok(if is_deployed { Some(world.is_restored(&app.name)?) } else { None })
}

fn restore(session: &Session, app: &App, until: Instant) -> Result<()> {
    elsewhere::refuse(&session.world, &app.name, VERB)?;
    if is_wanted(session, app)? == Some(true) {
        // Converging does not start instances that had finished, were given up or were stopped before.
        let started = start::start(session, app, &Intent::Converge(Which::All));
        return settle(session, app, started, until);
    }
    session.fact(&format!("{0} is not to be restored: ps-lifecycle start {0} starts it", app.name))
}

/// Waits for instances that the supervisor of a native app starts again by itself. If an instance failed at first and came up then, that
/// is no failure: right after a boot, a service that it needs may come up a moment later.
fn settle(session: &Session, app: &App, started: Result<()>, until: Instant) -> Result<()> {
    let is_of_instance =
        |error: &Error| matches!(error.downcast_ref(), Some(ps_scheduler::Error::DeployFailed { .. }));
    if started.as_ref().is_err_and(|error| !is_of_instance(error)) || !sum::starts_by_itself(session, app)? {
        return started;
    }
    match sum::settled(session, app, until) {
        Ok(standing) if standing.is_whole() => Ok(()),
        Ok(_) | Err(_) => started,
    }
}
