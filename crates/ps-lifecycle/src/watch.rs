//! `watch`: stays in the foreground and sees to the containers of docker-local, which have no supervisor of their own. What has to be
//! done about an app is done by another process of this program, `mend`: so the watch goes on meanwhile, and dies without harm.

mod deeds;
mod one;

use std::os::unix::net::UnixStream;

use anyhow::{Context, Result};
use ps_apps::{SchedulerName, World};
use ps_cli::exit::Outcome;
use ps_cli::say;
use ps_release::{Process, Release};
use ps_scheduler_docker::{DockerLocal, News, Watcher};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::low_level::pipe;
use type_settings::Checking;

use self::deeds::Deeds;
use crate::args::WatchArgs;
use crate::session::Session;

pub(crate) fn run(session: &Session, args: &WatchArgs) -> Result<Outcome> {
    let world = &session.world;
    let only = args.app.as_deref().map(|name| world.app(name)).transpose()?.map(|app| app.name);
    let _one = one::lock(world)?;
    let docker = DockerLocal::new(world);
    let whose = only.as_ref().map_or_else(|| "all apps".to_owned(), ToString::to_string);
    let mut watcher = Watcher::new(&docker, only, woken_by_signals()?)?;
    let mut deeds = Deeds::new(world)?;
    session.fact(&format!("Watching the containers of {whose}"))?;
    while session.check().is_ok() {
        for news in watcher.wait() {
            match news {
                News::Say(line) => say::warning(&line),
                News::Do(deed) => {
                    // Nobody need read it.
                    let _ = session.detail(&deeds::line(&deed));
                    deeds.take(deed);
                }
            }
        }
        for deed in deeds.turn() {
            watcher.ended(&deed);
        }
    }
    Ok(Outcome::Done)
}

/// Says of a deploy what of it nobody does, because no watch is running.
pub(crate) fn remind(world: &World, scheduler: &SchedulerName, release: &Release) {
    let goes_on = |process: &Process| {
        let is_asked = release.checking(&process.process_type) != Checking::Disabled;
        is_asked && !(process.checks.liveness.is_empty() && process.checks.readiness.is_empty())
    };
    let is_ours = *scheduler == SchedulerName::DockerLocal && !world.inside_dokku();
    if is_ours && release.processes.iter().any(goes_on) && !one::is_running(world) {
        say::warning(
            "liveness and readiness checks are asked by ps-lifecycle watch, which does not run: ps-lifecycle boot enable --watch has it run",
        );
    }
}

/// Becomes readable when this program is told to end, or one that it has started has ended.
fn woken_by_signals() -> Result<UnixStream> {
    let (woken, waking) = UnixStream::pair().context("watch for signals")?;
    for signal in [SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
        let waking = waking.try_clone().context("watch for signals")?;
        pipe::register(signal, waking).context("watch for signals")?;
    }
    Ok(woken)
}
