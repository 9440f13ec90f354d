//! One verb for one app, or for all of them (`--all`), in Dokku's words. If it fails for one app, the others still get their
//! turn.

use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Result, bail};
use formation::AppName;
use ps_cli::exit::Outcome;
use ps_cli::say;

use super::apps;
use crate::args::AllArgs;
use crate::journal;
use crate::session::Session;

/// A verb, and the apps that it is done to.
pub(crate) struct Subjects<'a> {
    /// The verb, as `--all` names it.
    pub(crate) verb: &'static str,
    pub(crate) app: Option<&'a str>,
    pub(crate) all: &'a AllArgs,
}

/// Does `act` to the app named, or to every one.
pub(crate) fn each(
    session: &Session,
    subjects: &Subjects<'_>,
    act: impl Fn(&AppName) -> Result<()> + Sync,
) -> Result<Outcome> {
    let act = |app: &AppName| journal::of_verb(&session.world, subjects.verb, app, || act(app));
    if subjects.all.all {
        return every(session, subjects.verb, subjects.all.parallel, &act);
    }
    act(&apps::named(session, subjects.app)?)?;
    Ok(Outcome::Done)
}

/// Does `act` to every app, `parallel` at a time: 0 and 1 are one after the other, -1 is one for each CPU.
pub(crate) fn every(
    session: &Session,
    verb: &str,
    parallel: i32,
    act: &(impl Fn(&AppName) -> Result<()> + Sync),
) -> Result<Outcome> {
    let at_a_time = at_a_time(parallel);
    if at_a_time == 1 {
        say::warning(&format!("Running {verb} in serial mode"));
    }
    let apps = apps::every(session)?;
    if apps.is_empty() {
        say::warning("You haven't deployed any applications yet");
    }
    if at_a_time == 1 {
        serially(session, verb, &apps, act)
    } else {
        side_by_side(session, verb, &apps, at_a_time, act)
    }
}

fn at_a_time(parallel: i32) -> usize {
    if parallel == -1 {
        let cpus = thread::available_parallelism().map_or(1, NonZero::get);
        say::warning(&format!("Setting --parallel=-1 value to CPU count of {cpus}"));
        return cpus;
    }
    usize::try_from(parallel).unwrap_or(1).max(1)
}

fn serially(
    session: &Session,
    verb: &str,
    apps: &[AppName],
    act: &impl Fn(&AppName) -> Result<()>,
) -> Result<Outcome> {
    let mut failures = 0;
    for app in apps {
        session.check()?;
        say::step_always(&format!("Running {verb} against app {app}"))?;
        if let Err(error) = act(app) {
            say::warning(&format!("Error running {verb} against app {app}: {error:#}"));
            failures += 1;
        }
    }
    match failures {
        0 => Ok(Outcome::Done),
        failed => bail!("{verb} command returned {failed} errors"),
    }
}

fn side_by_side(
    session: &Session,
    verb: &str,
    apps: &[AppName],
    at_a_time: usize,
    act: &(impl Fn(&AppName) -> Result<()> + Sync),
) -> Result<Outcome> {
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    let work = || {
        while let Some(app) = apps.get(next.fetch_add(1, Ordering::Relaxed)) {
            let said = session
                .check()
                .and_then(|()| Ok(say::step_always(&format!("Running command against {app}"))?));
            if let Err(error) = said.and_then(|()| act(app)) {
                let failure = format!("Error running {verb} against {app}: {error:#}");
                failures.lock().expect("no worker panics while it holds the list").push(failure);
            }
        }
    };
    thread::scope(|scope| (0..at_a_time.min(apps.len())).for_each(|_| drop(scope.spawn(work))));
    let failures = failures.into_inner().expect("no worker panicked");
    for failure in &failures {
        say::warning(failure);
    }
    match failures.len() {
        0 => Ok(Outcome::Done),
        failed => bail!("Encountered {failed} errors during parallel run"),
    }
}
