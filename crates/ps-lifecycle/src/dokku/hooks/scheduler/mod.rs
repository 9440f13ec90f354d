//! The triggers by which Dokku asks a scheduler (docs/dokku.md#triggers), answered for the scheduler `native`. Nothing here
//! calls a scheduler's trigger, which would end here again. Dokku calls the hooks of all schedulers for every app: a hook that
//! is called for another scheduler, or for an app of another one, says nothing and succeeds.

mod answers;
mod deploy;
mod handover;
mod named;
mod null_builder;
mod push;

use std::io::{self, Write};

use anyhow::Result;
use formation::{AppName, Which};
use ps_apps::{SchedulerName, World};
use ps_cli::exit::{Outcome, Refusal};
use ps_scheduler::Scheduler;
use ps_scheduler_native::Native;

use crate::session::Session;
use crate::stop;
use named::named;

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
        [name, scheduler, ..]
            if name.starts_with("scheduler-") && SchedulerName::from(*scheduler) != SchedulerName::Native =>
        {
            Ok(())
        }
        ["post-extract", app, tree, rest @ ..] => push::push(world, app, tree.as_ref(), word(rest, 0)),
        ["builder-build", builder, app, ..] => null_builder::build(world, builder, app),
        ["builder-release", builder, app, tag, ..] => null_builder::release(world, builder, app, tag),
        ["handover", app, ..] => named(app).and_then(|app| handover::give_up(world, &app)),
        ["nginx-app-template-source", app, kind, ..] => template(world, app, kind),
        ["nginx-pre-reload", app, ..] => named(app).and_then(|app| Ok(ps_dokku::correct(world, &app)?)),
        ["scheduler-deploy", _, app, tag, rest @ ..] => deploy(world, app, tag, word(rest, 0)),
        ["scheduler-stop", _, app, rest @ ..] => {
            named(app).and_then(|app| stop(world, &app, word(rest, 0) == "true"))
        }
        ["scheduler-app-status", _, app, ..] => named(app).and_then(|app| answers::app_status(world, &app)),
        ["scheduler-is-deployed", _, app, ..] => {
            return Some(named(app).and_then(|app| answers::is_deployed(world, &app)));
        }
        ["scheduler-inspect", _, app, ..] => named(app).and_then(|app| answers::inspect(world, &app)),
        ["scheduler-logs", _, app, process_type, tail, quiet, lines, ..] => {
            let wanted = answers::Wanted { process_type, follows: *tail == "true", quiet: *quiet == "true" };
            named(app).and_then(|app| answers::logs(world, &app, &wanted, lines))
        }
        ["scheduler-post-delete", _, app, ..] => named(app).and_then(|app| forget(world, &app)),
        ["scheduler-retire", _] => Native::new(world).retire(None).map(drop).map_err(Into::into),
        ["scheduler-retire", _, app, ..] => {
            named(app).and_then(|app| Ok(Native::new(world).retire(Some(&app)).map(drop)?))
        }
        ["scheduler-enter", _, app, ..] => Err(refusal(app, "there is no container to enter")),
        ["scheduler-run", _, app, ..] => Err(refusal(app, "there is no container to run a command in")),
        _ => return None,
    };
    Some(done.map(|()| Outcome::Done))
}

/// Dokku joins what all plugins print and takes it for one path.
fn template(world: &World, app: &str, kind: &str) -> Result<()> {
    match ps_dokku::template(world, &named(app)?, kind)? {
        Some(path) => Ok(writeln!(io::stdout().lock(), "{}", path.display())?),
        None => Ok(()),
    }
}

fn word<'a>(rest: &[&'a str], index: usize) -> &'a str {
    rest.get(index).copied().unwrap_or_default()
}

fn refusal(app: &str, why: &str) -> anyhow::Error {
    Refusal::failed(format!("App {app} runs natively: {why}"))
}

fn deploy(world: &World, app: &str, tag: &str, process_type: &str) -> Result<()> {
    let session = Session::of_hook(world)?;
    let which = match process_type {
        "" => Which::All,
        word => Which::Type(word.parse()?),
    };
    deploy::deploy(&session, &world.app(app)?.name, tag, which)
}

/// Ends what runs of an app, even if the app's directory is gone already.
fn stop(world: &World, app: &AppName, remove: bool) -> Result<()> {
    let session = Session::of_hook(world)?;
    let _lock = world.is_app(app)?.then(|| session.lock(app)).transpose()?;
    stop::end_via(&session, app, &Native::new(world), &Which::All, remove)
}

/// Removes all that is kept of an app that was destroyed.
fn forget(world: &World, app: &AppName) -> Result<()> {
    stop(world, app, true)?;
    Native::new(world).forget(app)?;
    world.retire_lock(app);
    Ok(())
}
