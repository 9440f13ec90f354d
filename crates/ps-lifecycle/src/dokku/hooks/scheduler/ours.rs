//! The schedulers for which Dokku's triggers are answered here.

use anyhow::Result;
use formation::AppName;
use ps_apps::{SchedulerName, World};
use ps_scheduler::Scheduler;
use ps_scheduler_native::Native;
use ps_scheduler_swarm::Swarm;

/// One of these schedulers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ours {
    Native,
    Swarm,
}

impl Ours {
    /// The scheduler of this name; `None`: it is another plugin's.
    pub(super) fn of(name: &str) -> Option<Self> {
        match SchedulerName::from(name) {
            SchedulerName::Native => Some(Self::Native),
            SchedulerName::Swarm => Some(Self::Swarm),
            SchedulerName::DockerLocal | SchedulerName::External(_) => None,
        }
    }

    pub(super) fn scheduler(self, world: &World) -> Box<dyn Scheduler> {
        match self {
            Self::Native => Box::new(Native::new(world)),
            Self::Swarm => Box::new(Swarm::new(world)),
        }
    }

    /// The scheduler for questions that do not need the CPU time and memory of processes.
    pub(super) fn quick(self, world: &World) -> Box<dyn Scheduler> {
        match self {
            Self::Native => Box::new(Native::new(world).without_usage()),
            Self::Swarm => self.scheduler(world),
        }
    }

    /// Whether this scheduler has ever deployed the app.
    pub(super) fn has_deployed(self, world: &World, app: &AppName) -> Result<bool> {
        Ok(match self {
            Self::Native => Native::new(world).directory(app)?.is_some(),
            Self::Swarm => {
                Swarm::new(world).witness(app).is_some_and(|file| world.lib().join(file).is_file())
            }
        })
    }

    /// Removes what earlier deploys left behind, of one app or of all.
    pub(super) fn retire(self, world: &World, app: Option<&AppName>) -> Result<()> {
        let scheduler = self.scheduler(world);
        match (self, app) {
            (Self::Native, app) => drop(scheduler.retire(app)?),
            (Self::Swarm, Some(app)) => drop(scheduler.retire(Some(app))?),
            (Self::Swarm, None) => {
                for app in world.apps()? {
                    if self.has_deployed(world, &app.name)? {
                        scheduler.retire(Some(&app.name))?;
                    }
                }
            }
        }
        Ok(())
    }
}
