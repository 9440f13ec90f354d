//! Ends the native instances of an app after another scheduler has deployed it. Dokku itself leaves them running, and
//! no command would find them any more.

use anyhow::Result;
use formation::{AppName, Which};
use ps_apps::{SchedulerName, World};
use ps_cli::say;
use ps_dokku::Caller;
use ps_scheduler_native::Native;

use crate::session::Session;
use crate::stop;

/// Ends the containers of an app that runs natively now.
pub(super) fn take_over(world: &World, caller: &Caller, app: &AppName) -> Result<()> {
    if world.container_files(app)?.is_empty() {
        return Ok(());
    }
    say::step(&format!("{app} runs natively now: ending its containers"))?;
    caller.stream("scheduler-stop", &[SchedulerName::DockerLocal.as_str(), app.as_str(), "true"])?;
    Ok(world.forget_containers(app)?)
}

/// Ends the native processes of an app that another scheduler has deployed.
pub(super) fn give_up(world: &World, app: &AppName) -> Result<()> {
    let native = Native::new(world);
    if world.scheduler_name(app)? == SchedulerName::Native || native.directory(app)?.is_none() {
        return Ok(());
    }
    let session = Session::of_hook(world)?;
    let lock = session.lock(app)?;
    session.step(&format!("{app} no longer runs natively: ending its processes"))?;
    stop::end_via(&session, app, &native, &Which::All, true)?;
    if world.forget_listeners(app)? {
        Caller::holding(world, &lock).stream("proxy-build-config", &[app.as_str()])?;
    }
    Ok(())
}
