#![doc = include_str!("../README.md")]

mod answers;
mod external;

use formation::AppName;
use ps_apps::{Error, SchedulerName, World};
use ps_scheduler::{OsProcess, Running, Scheduler};
use ps_scheduler_docker::DockerLocal;
use ps_scheduler_native::Native;
use ps_scheduler_swarm::Swarm;

pub use answers::{Answers, Silent, statuses, statuses_of};
pub use external::{Count, External};

/// The scheduler of that name.
pub fn named(world: &World, name: &SchedulerName) -> Box<dyn Scheduler> {
    match name {
        SchedulerName::Native => Box::new(Native::new(world)),
        SchedulerName::DockerLocal => Box::new(DockerLocal::new(world)),
        SchedulerName::Swarm => Box::new(Swarm::new(world)),
        SchedulerName::External(name) => Box::new(External::new(world, name)),
    }
}

/// The processes of an app's instances.
#[derive(Debug, Default)]
pub struct Processes {
    /// The processes on this machine, in the order of the slots.
    pub here: Vec<OsProcess>,
    /// One sentence for each instance that runs on another machine, which says where.
    pub elsewhere: Vec<String>,
}

/// Every process of an app's instances, in the order of the slots; `None` if the scheduler cannot list them, because it is not known where
/// they run.
///
/// # Errors
/// The app's files cannot be read, or the engine does not answer.
pub fn processes(
    world: &World,
    name: &SchedulerName,
    app: &AppName,
) -> Result<Option<Processes>, ps_scheduler::Error> {
    let (here, elsewhere) = match name {
        SchedulerName::Native => (Native::new(world).processes(app)?, Vec::new()),
        SchedulerName::DockerLocal => (DockerLocal::new(world).processes(app)?, Vec::new()),
        SchedulerName::Swarm => Swarm::new(world).processes(app)?,
        SchedulerName::External(_) => return Ok(None),
    };
    Ok(Some(Processes { here, elsewhere }))
}

/// Whether the instances of an app run.
///
/// # Errors
/// The app's files cannot be read, or its scheduler does not answer.
pub fn running(world: &World, app: &AppName) -> Result<Running, ps_scheduler::Error> {
    let name = world.scheduler_name(app).map_err(|error| ps_scheduler::Error::Backend {
        context: format!("read which scheduler {app} has"),
        reason: error.to_string(),
    })?;
    match name {
        SchedulerName::Native => Ok(Native::new(world).without_usage().status_of(app)?.running()),
        SchedulerName::DockerLocal => Ok(DockerLocal::new(world).status_of(app)?.running()),
        SchedulerName::Swarm => Ok(Swarm::new(world).status_of(app)?.running()),
        SchedulerName::External(name) => Ok(External::new(world, &name).count(app)?.running),
    }
}

/// The scheduler of an app.
///
/// # Errors
/// The file in which its name is stored cannot be read.
pub fn of(world: &World, app: &AppName) -> Result<Box<dyn Scheduler>, Error> {
    Ok(named(world, &world.scheduler_name(app)?))
}
