//! The triggers of Dokku about deploys and the life of an app (docs/dokku.md#triggers). A hook executes this program once with
//! `--from-trigger <trigger> <argument>…`. A hook does not take the app's lock, because the command that called it may hold that
//! lock and wait for the hook. It takes only the lock of the property that it writes.

mod scheduler;

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::Result;
use formation::{AppName, RestartPolicy};
use ps_apps::World;
use ps_cli::exit::{Outcome, Refusal};
use ps_cli::say;
use ps_dokku::{Caller, Line};
use ps_scheduler_docker::DockerLocal;

use super::{last_words, restart};
use crate::journal;

/// The first word of a hook's command line.
pub(crate) const FLAG: &str = "--from-trigger";

/// Every trigger that is answered here.
const TRIGGERS: [&str; 10] = [
    "app-restart",
    "core-post-deploy",
    "core-post-extract",
    "docker-args-process-deploy",
    "install",
    "post-app-clone",
    "post-app-clone-setup",
    "post-app-rename",
    "post-app-rename-setup",
    "post-stop",
];

/// Answers the trigger that the first word names, with the arguments that plugn gave the hook.
pub(crate) fn answer(words: &[OsString]) -> Result<Outcome> {
    let words: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let world = World::from_env()?;
    let answered = scheduler::answer(&world, &words);
    answered.unwrap_or_else(|| dispatch(&world, &words).map(|()| Outcome::Done)).map_err(last_words)
}

fn dispatch(world: &World, words: &[&str]) -> Result<()> {
    let caller = || Caller::new(world);
    match words {
        // For a missing app this prints that it was not deployed, as Dokku does.
        ["app-restart", app, ..] => restart::for_plugin(world, &caller(), &app.parse()?),
        ["core-post-deploy", app, ..] => Ok(ps_dokku::commit(world, &app.parse()?)?),
        ["core-post-extract", app, tree, ..] => extract(world, &app.parse()?, tree.as_ref()),
        ["docker-args-process-deploy", app, ..] => docker_args(world, app),
        ["install", ..] => Ok(ps_dokku::install(world, &caller(), &mut tell)?),
        ["post-app-clone", _, new, ..] => rebuild(&caller(), new),
        ["post-app-clone-setup", old, new, ..] => Ok(ps_dokku::copy(world, &old.parse()?, &new.parse()?)?),
        ["post-app-rename", old, new, ..] => {
            ps_dokku::move_data(world, &old.parse()?, &new.parse()?)?;
            rebuild(&caller(), new)
        }
        ["post-app-rename-setup", old, new, ..] => {
            let (old, new) = (old.parse()?, new.parse()?);
            journal::hand_on(world, &old, &new);
            Ok(ps_dokku::take_over(world, &old, &new)?)
        }
        ["post-stop", app, ..] => remember_stop(world, &app.parse()?),
        [name, ..] if TRIGGERS.contains(name) || scheduler::TRIGGERS.contains(name) => Err(Refusal::usage(
            format!("trigger {name}: these are not its arguments: {}", words[1..].join(" ")),
        )),
        _ => Err(Refusal::usage(format!(
            "{} is no trigger of ps-lifecycle's: these are {}, {}",
            words.first().unwrap_or(&"nothing"),
            TRIGGERS.join(", "),
            scheduler::TRIGGERS.join(", ")
        ))),
    }
}

/// Stores the Procfile of the coming deploy. If an image is deployed, the file is read from the image with the engine.
fn extract(world: &World, app: &AppName, tree: &Path) -> Result<()> {
    let image_file = |image: &str, path: &str| DockerLocal::new(world).image_file(app, image, path);
    Ok(ps_dokku::extract(world, app, tree, image_file)?)
}

fn tell(line: Line) {
    match line {
        // A terminal that went away must not stop the work.
        Line::Step(text) => drop(say::step_always(&text)),
        Line::Warning(text) => say::warning(&text),
    }
}

/// Repeats the output of other plugins from stdin and adds `--restart`. It does so even for a missing app: the deploy of that
/// app fails in another plugin, which gives a clearer reason.
fn docker_args(world: &World, app: &str) -> Result<()> {
    let mut said = Vec::new();
    io::stdin().lock().read_to_end(&mut said)?;
    let policy = match app.parse::<AppName>() {
        Ok(app) => world.restart_policy(&app)?,
        Err(_) => RestartPolicy::default(),
    };
    let mut out = io::stdout().lock();
    out.write_all(&said)?;
    write!(out, " --restart={policy}")?;
    Ok(out.flush()?)
}

fn rebuild(caller: &Caller, app: &str) -> Result<()> {
    if std::env::var_os("SKIP_REBUILD").is_some_and(|value| value == "true") {
        return Ok(());
    }
    Ok(caller.build(app)?)
}

/// Records that the app was stopped by hand, so that it stays stopped after a reboot.
fn remember_stop(world: &World, app: &AppName) -> Result<()> {
    Ok(world.set_restored(app, false)?)
}
