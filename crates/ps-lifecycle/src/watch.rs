//! `watch`: stays in the foreground and watches the containers of docker-local, which have no supervisor, and the tasks of apps on a swarm that
//! have an address. It does not change an app itself, but runs this program with the verb `mend` for that. So it continues to watch meanwhile,
//! and can be killed without harm.

mod deeds;
mod one;
mod swarm;

use std::os::unix::net::UnixStream;

use anyhow::{Context, Result, bail};
use ps_apps::{SchedulerName, World};
use ps_cli::exit::Outcome;
use ps_cli::say;
use ps_release::{Process, Release, Source};
use ps_scheduler_docker::{DockerLocal, News, Watcher};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::low_level::pipe;
use type_settings::Checking;

use self::deeds::Deeds;
use crate::args::WatchArgs;
use crate::journal;
use crate::session::Session;

/// Warns about something that is not done because no watch runs.
fn warn_unwatched(lack: &str) {
    say::warning(&format!(
        "ps-lifecycle watch does not run, so {lack}: ps-lifecycle boot enable --watch starts it"
    ));
}

pub(crate) fn run(session: &Session, args: &WatchArgs) -> Result<Outcome> {
    let world = &session.world;
    let only = args.app.as_deref().map(|name| world.app(name)).transpose()?.map(|app| app.name);
    let _one = one::lock(world)?;
    let docker = DockerLocal::new(world);
    let (woken, waking) = woken_by_signals()?;
    let on_swarm = swarm::begin(world, only.clone(), waking);
    let whose = only.as_ref().map_or_else(|| "all apps".to_owned(), ToString::to_string);
    let mut watcher = Watcher::new(&docker, only, woken, ps_supervisor::timetable)?;
    let mut deeds = Deeds::new(world)?;
    session.fact(&format!("Watching the containers of {whose}"))?;
    while session.check().is_ok() {
        let of_containers = watcher.wait();
        for news in of_containers.into_iter().chain(on_swarm.try_iter()) {
            match news {
                News::Say(line) => say::warning(&line),
                News::Scheduled { app, slot, what } => {
                    say::warning(&format!("{} of {app}: {what}", slot.process_type));
                    journal::happened(world, &app, "schedule", &slot, &what);
                }
                News::Do(deed) => {
                    // If the line cannot be printed, that is ignored.
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

/// Prints which parts of a deploy have no effect because no watch is running, and refuses a deploy with a schedule in a time zone
/// that this machine does not know.
pub(crate) fn remind(world: &World, scheduler: &SchedulerName, release: &Release) -> Result<()> {
    let goes_on = |process: &Process| {
        let is_asked = release.checking(&process.process_type) != Checking::Disabled;
        is_asked && !(process.checks.liveness.is_empty() && process.checks.readiness.is_empty())
    };
    remind_of_clients(world, scheduler, release);
    if !is_for_watch(world, scheduler) {
        return Ok(());
    }
    for process in &release.processes {
        if let Some((_, Some(trouble))) = ps_supervisor::timetable(&process.settings) {
            bail!("{} of {}: {trouble}", process.process_type, release.app);
        }
    }
    if one::is_running(world) {
        return Ok(());
    }
    if release.processes.iter().any(goes_on) {
        warn_unwatched("liveness and readiness checks are not made");
    }
    let scheduled = release.processes.iter().filter(|process| process.settings.schedule.is_some());
    let scheduled: Vec<String> = scheduled.map(|process| process.process_type.to_string()).collect();
    if !scheduled.is_empty() && matches!(release.source, Source::Image(_)) {
        warn_unwatched(&format!("{} is not started when it is due", scheduled.join(", ")));
    }
    Ok(())
}

/// The same for an app that gets an address.
pub(crate) fn remind_of_clients(world: &World, scheduler: &SchedulerName, release: &Release) {
    if *scheduler == SchedulerName::Swarm && !release.listen.is_empty() && !one::is_running(world) {
        warn_unwatched("between verbs clients are not sent to tasks by which the swarm replaces others");
    }
}

/// Records the schedules of an app, so that `status` can show them; a running watch does that itself.
pub(crate) fn note_schedules(world: &World, scheduler: &SchedulerName, release: &Release) {
    if !is_for_watch(world, scheduler) || one::is_running(world) {
        return;
    }
    if let Err(error) = DockerLocal::new(world).note_schedules(release, ps_supervisor::timetable) {
        say::warning(&format!("status does not know what runs of {} by a schedule: {error}", release.app));
    }
}

fn is_for_watch(world: &World, scheduler: &SchedulerName) -> bool {
    *scheduler == SchedulerName::DockerLocal && !world.inside_dokku()
}

/// Two streams that become readable: the first one when this program is asked to end or a program that it started has ended, the second one
/// when something is written to its other end.
fn woken_by_signals() -> Result<(UnixStream, UnixStream)> {
    let (woken, waking) = UnixStream::pair().context("watch for signals")?;
    for signal in [SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
        let waking = waking.try_clone().context("watch for signals")?;
        pipe::register(signal, waking).context("watch for signals")?;
    }
    Ok((woken, waking))
}
