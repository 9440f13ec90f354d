//! The triggers by which Dokku calls a scheduler (docs/dokku.md#triggers), answered for the schedulers `native` and `swarm`. Nothing
//! here may call a scheduler's trigger, because that call would arrive here again. Dokku calls the hooks of all schedulers for every
//! app: a hook that is called for another scheduler, or for another scheduler's app, prints nothing and succeeds.

mod answers;
mod deploy;
mod handover;
mod named;
mod null_builder;
mod on_swarm;
mod ours;
mod push;

use std::io::{self, Write};

use anyhow::Result;
use formation::{AppName, Which};
use ps_apps::World;
use ps_cli::exit::Outcome;
use ps_scheduler_native::Native;

use crate::session::Session;
use crate::stop;
use named::{named, refusal};
use ours::Ours;

/// Every trigger that is answered here.
pub(super) const TRIGGERS: [&str; 16] = [
    "builder-build",
    "builder-release",
    "post-extract",
    "handover",
    "nginx-app-template-source",
    "nginx-pre-reload",
    "scheduler-app-status",
    "scheduler-deploy",
    "scheduler-enter",
    "scheduler-inspect",
    "scheduler-is-deployed",
    "scheduler-logs",
    "scheduler-post-delete",
    "scheduler-retire",
    "scheduler-run",
    "scheduler-stop",
];

/// Answers one of [`TRIGGERS`]; `None` for any other words.
pub(super) fn answer(world: &World, words: &[&str]) -> Option<Result<Outcome>> {
    let done = match words {
        [name, scheduler, rest @ ..] if name.starts_with("scheduler-") => {
            let Some(ours) = Ours::of(scheduler) else { return Some(Ok(Outcome::Done)) };
            return asked(world, name, ours, rest);
        }
        ["post-extract", app, tree, rest @ ..] => push::push(world, app, tree.as_ref(), word(rest, 0)),
        ["builder-build", builder, app, ..] => null_builder::build(world, builder, app),
        ["builder-release", builder, app, tag, ..] => null_builder::release(world, builder, app, tag),
        ["handover", app, ..] => named(app).and_then(|app| handover::give_up(world, &app)),
        ["nginx-app-template-source", app, kind, ..] => template(world, app, kind),
        ["nginx-pre-reload", app, ..] => named(app).and_then(|app| Ok(ps_dokku::correct(world, &app)?)),
        _ => return None,
    };
    Some(done.map(|()| Outcome::Done))
}

/// Answers a trigger for one of these schedulers.
fn asked(world: &World, name: &str, ours: Ours, words: &[&str]) -> Option<Result<Outcome>> {
    let done = match (name, words) {
        ("scheduler-deploy", [app, tag, rest @ ..]) => deploy(world, ours, app, tag, word(rest, 0)),
        ("scheduler-stop", [app, rest @ ..]) => {
            named(app).and_then(|app| stop(world, ours, &app, word(rest, 0) == "true"))
        }
        ("scheduler-app-status", [app, ..]) => {
            named(app).and_then(|app| answers::app_status(ours.quick(world).as_ref(), &app))
        }
        ("scheduler-is-deployed", [app, ..]) => {
            return Some(named(app).and_then(|app| answers::is_deployed(world, ours, &app)));
        }
        ("scheduler-inspect", [app, ..]) => {
            named(app).and_then(|app| answers::inspect(ours.scheduler(world).as_ref(), &app))
        }
        ("scheduler-logs", [app, process_type, tail, quiet, lines, ..]) => {
            let wanted = answers::Wanted { process_type, follows: *tail == "true", quiet: *quiet == "true" };
            named(app).and_then(|app| answers::logs(ours.scheduler(world).as_ref(), &app, &wanted, lines))
        }
        ("scheduler-post-delete", [app, ..]) => named(app).and_then(|app| forget(world, ours, &app)),
        ("scheduler-retire", []) => ours.retire(world, None),
        ("scheduler-retire", [app, ..]) => named(app).and_then(|app| ours.retire(world, Some(&app))),
        ("scheduler-enter", [app, rest @ ..]) => return Some(enter(world, ours, app, rest)),
        ("scheduler-run", [app, rest @ ..]) => return Some(run(world, ours, app, rest)),
        _ => return None,
    };
    Some(done.map(|()| Outcome::Done))
}

fn enter(world: &World, ours: Ours, app: &str, rest: &[&str]) -> Result<Outcome> {
    match ours {
        Ours::Native => Err(refusal(&named(app)?, "natively", "there is no container to enter")),
        Ours::Swarm => on_swarm::enter(&Session::of_hook(world)?, app, rest),
    }
}

fn run(world: &World, ours: Ours, app: &str, rest: &[&str]) -> Result<Outcome> {
    match ours {
        Ours::Native => Err(refusal(&named(app)?, "natively", "there is no container to run a command in")),
        Ours::Swarm => on_swarm::run(&Session::of_hook(world)?, app, rest),
    }
}

/// Prints the path of our nginx template. Dokku joins the output of all plugins and takes it for one path, so nothing else may be
/// printed.
fn template(world: &World, app: &str, kind: &str) -> Result<()> {
    match ps_dokku::template(world, &named(app)?, kind)? {
        Some(path) => Ok(writeln!(io::stdout().lock(), "{}", path.display())?),
        None => Ok(()),
    }
}

fn word<'a>(rest: &[&'a str], index: usize) -> &'a str {
    rest.get(index).copied().unwrap_or_default()
}

fn deploy(world: &World, ours: Ours, app: &str, tag: &str, process_type: &str) -> Result<()> {
    let session = Session::of_hook(world)?;
    let which = match process_type {
        "" => Which::All,
        word => Which::Type(word.parse()?),
    };
    let app = &world.app(app)?.name;
    match ours {
        Ours::Native => deploy::deploy(&session, app, tag, which),
        Ours::Swarm => on_swarm::deploy(&session, app, tag, &which),
    }
}

/// Ends the instances of an app, even if the app's directory no longer exists.
fn stop(world: &World, ours: Ours, app: &AppName, remove: bool) -> Result<()> {
    let session = Session::of_hook(world)?;
    let _lock = world.is_app(app)?.then(|| session.lock(app)).transpose()?;
    stop::end_via(&session, app, ours.scheduler(world).as_ref(), &Which::All, remove)
}

/// Removes all data of an app that was destroyed.
fn forget(world: &World, ours: Ours, app: &AppName) -> Result<()> {
    stop(world, ours, app, true)?;
    if ours == Ours::Native {
        Native::new(world).forget(app)?;
    }
    world.retire_lock(app);
    Ok(())
}
