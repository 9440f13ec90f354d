//! One verb for one app, or for all of them (`--all`), in Dokku's words. If it fails for one app, the others still get their
//! turn.

use std::num::NonZero;
use std::thread;

use anyhow::{Result, bail};
use formation::AppName;
use ps_cli::exit::Outcome;
use ps_cli::say;

use super::apps;
use crate::args::AllArgs;
use crate::session::Session;
use crate::{each, journal};

/// A verb, and the apps that it changes.
pub(crate) struct Subjects<'a> {
    /// The verb, as `--all` names it.
    pub(crate) verb: &'static str,
    pub(crate) app: Option<&'a str>,
    pub(crate) all: &'a AllArgs,
}

/// Runs `act` for the named app, or for every app.
pub(crate) fn each(
    session: &Session,
    subjects: &Subjects<'_>,
    act: impl Fn(&AppName) -> Result<()> + Sync,
) -> Result<Outcome> {
    let act = |app: &AppName| journal::of_verb(&session.world, subjects.verb, app, || act(app));
    if subjects.all.all {
        return every(session, subjects.verb, subjects.all.parallel_or(1), &act);
    }
    act(&apps::named(session, subjects.app)?)?;
    Ok(Outcome::Done)
}

/// Runs `act` for every app, `parallel` at a time: 0 and 1 mean one after the other, -1 means one for each CPU.
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
        say::warning(ps_dokku::words::NO_APPS);
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
    let failures = each::side_by_side(apps, at_a_time, &|app: &AppName| {
        session.check()?;
        say::step_always(&format!("Running command against {app}"))?;
        act(app)
    });
    for (app, error) in &failures {
        say::warning(&format!("Error running {verb} against {app}: {error:#}"));
    }
    match failures.len() {
        0 => Ok(Outcome::Done),
        failed => bail!("Encountered {failed} errors during parallel run"),
    }
}
