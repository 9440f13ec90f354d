//! Which scheduler an app has: one `match`.

use anyhow::{Result, bail};
use formation::AppName;
use ps_apps::World;
use ps_scheduler::Scheduler;
use ps_scheduler_docker::DockerLocal;
use ps_scheduler_native::Native;

/// The scheduler of that name.
pub(crate) fn named(world: &World, name: &str) -> Result<Box<dyn Scheduler>> {
    match name {
        "native" => Ok(Box::new(Native::new(world))),
        "docker-local" => Ok(Box::new(DockerLocal::new(world))),
        other => bail!("scheduler {other:?} is not known here: native and docker-local are"),
    }
}

/// The scheduler of an app.
pub(crate) fn of(world: &World, app: &AppName) -> Result<Box<dyn Scheduler>> {
    named(world, &world.scheduler_name(app)?)
}
