//! Ends the instances of an app that another scheduler ran before. Dokku leaves them running, and no command would find them later.

use anyhow::Result;
use formation::{AppName, Which};
use ps_apps::{SchedulerName, World};
use ps_cli::say;
use ps_dokku::Caller;
use ps_scheduler_native::Native;
use ps_scheduler_swarm::Swarm;

use super::ours::Ours;
use crate::session::Session;
use crate::stop;

/// Ends the containers of an app that docker-local ran before; `how` is "natively" or "on a swarm".
pub(super) fn take_over(world: &World, caller: &Caller, app: &AppName, how: &str) -> Result<()> {
    if world.container_files(app)?.is_empty() {
        return Ok(());
    }
    say::step(&format!("{app} runs {how} now: ending its containers"))?;
    caller.stream("scheduler-stop", &[SchedulerName::DockerLocal.as_str(), app.as_str(), "true"])?;
    Ok(world.forget_containers(app)?)
}

/// Ends the native processes or swarm tasks of an app that another scheduler has deployed.
pub(super) fn give_up(world: &World, app: &AppName) -> Result<()> {
    let (native, now) = (Native::new(world), world.scheduler_name(app)?);
    let was_native = now != SchedulerName::Native && native.directory(app)?.is_some();
    let was_on_swarm = now != SchedulerName::Swarm && Ours::Swarm.has_deployed(world, app)?;
    if !was_native && !was_on_swarm {
        return Ok(());
    }
    let session = Session::of_hook(world)?;
    let lock = session.lock(app)?;
    if was_on_swarm {
        session.step(&format!("{app} no longer runs on a swarm: ending its tasks"))?;
        stop::end_via(&session, app, &Swarm::new(world), &Which::All, true)?;
    }
    if !was_native {
        return Ok(());
    }
    session.step(&format!("{app} no longer runs natively: ending its processes"))?;
    stop::end_via(&session, app, &native, &Which::All, true)?;
    if world.forget_listeners(app)? {
        Caller::holding(world, &lock).stream("proxy-build-config", &[app.as_str()])?;
    }
    Ok(())
}
