//! Apps whose scheduler belongs to a plugin of Dokku: Formation shows their status, and does not change them.

use anyhow::{Result, bail};
use formation::AppName;
use ps_apps::{SchedulerName, World};

/// Whether only Dokku can change the instances of an app.
pub(crate) fn runs(world: &World, app: &AppName) -> Result<bool> {
    Ok(matches!(world.scheduler_name(app)?, SchedulerName::External(_)))
}

/// Refuses a verb for such an app, before anything is changed and before any hook is called.
pub(crate) fn refuse(world: &World, app: &AppName, verb: &str) -> Result<()> {
    match world.scheduler_name(app)? {
        SchedulerName::Native | SchedulerName::DockerLocal | SchedulerName::Swarm => Ok(()),
        SchedulerName::External(name) => {
            bail!("{app} has the scheduler {name}: it is Dokku's to {verb}, not Formation's")
        }
    }
}
