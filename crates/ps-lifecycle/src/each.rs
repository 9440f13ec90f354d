//! Runs a verb for one app, or for all apps, several at a time. If it fails for one app, the others are still handled.

mod outcomes;

use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Error, Result, bail};
use formation::AppName;
use ps_apps::App;
use ps_cli::exit::Outcome;
use ps_cli::say;

use crate::args::AllArgs;
use crate::elsewhere;
use crate::session::Session;
pub(crate) use outcomes::{Outcomes, write};

/// A verb and the apps to run it for.
pub(crate) struct Subjects<'a> {
    /// The verb, as the journal names it.
    pub(crate) verb: &'static str,
    /// The app that was named on the command line.
    pub(crate) app: Option<&'a str>,
    /// The option `--all`.
    pub(crate) all: &'a AllArgs,
}

/// Runs the verb for the named app, or with `--all` for every app that `is_meant` selects, except those that only Dokku can change.
pub(crate) fn app(
    session: &Session,
    subjects: &Subjects<'_>,
    is_meant: impl Fn(&App) -> Result<bool>,
    deed: impl Fn(&App) -> Result<()> + Sync,
) -> Result<Outcome> {
    let Subjects { verb, app: named, all } = *subjects;
    all.check()?;
    let world = &session.world;
    let act = |app: &App| {
        session.of_app(verb, &app.name, || {
            if ps_dokku::is_deployed(world, &app.name)? {
                elsewhere::refuse(world, &app.name, verb)?;
            }
            deed(app)
        })
    };
    if let Some(name) = named {
        act(&world.app(name)?)?;
        return Ok(Outcome::Done);
    }
    let mut apps = Vec::new();
    for app in world.apps()? {
        if is_meant(&app)? && !elsewhere::runs(world, &app.name)? {
            apps.push(app);
        }
    }
    let outcomes = Outcomes::default();
    let timed = |app: &App| outcomes.of(&app.name, || act(app));
    let failures = side_by_side(&apps, at_a_time(all.parallel_or(1)), &timed).into_iter();
    let failures: Vec<(AppName, Error)> = failures.map(|(app, error)| (app.name.clone(), error)).collect();
    let error_of =
        |app: &App| failures.iter().find(|(failed, _)| *failed == app.name).map(|(_, error)| error);
    let rows: Vec<_> = apps.iter().map(|app| outcomes.row(&app.name, verb, error_of(app))).collect();
    if all.json || !session.is_quiet() {
        write(&rows, all.json)?;
    }
    conclude(&failures, apps.len())
}

/// Prints the apps that failed; an error if there is one.
pub(crate) fn conclude(failures: &[(AppName, Error)], all: usize) -> Result<Outcome> {
    for (app, error) in failures {
        say::warning(&format!("{app}: {error:#}"));
    }
    match failures.len() {
        0 => Ok(Outcome::Done),
        failed => bail!("{failed} of {all} apps failed: see above"),
    }
}

/// The number of apps at a time for a value of `--parallel`.
pub(crate) fn at_a_time(parallel: i32) -> usize {
    match parallel {
        -1 => thread::available_parallelism().map_or(1, NonZero::get),
        n => usize::try_from(n).unwrap_or(1).max(1),
    }
}

/// Runs `act` for each item, this many at a time. Returns the items for which it failed, sorted, with the errors.
pub(crate) fn side_by_side<'a, T: Ord + Sync>(
    items: &'a [T],
    at_a_time: usize,
    act: &(impl Fn(&T) -> Result<()> + Sync),
) -> Vec<(&'a T, Error)> {
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    let work = || {
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = act(item) {
                failures.lock().expect("no worker panics while it holds the list").push((item, error));
            }
        }
    };
    if at_a_time == 1 {
        work();
    } else {
        thread::scope(|scope| (0..at_a_time.min(items.len())).for_each(|_| drop(scope.spawn(work))));
    }
    let mut failures = failures.into_inner().expect("no worker panicked");
    failures.sort_by_key(|(item, _)| *item);
    failures
}
