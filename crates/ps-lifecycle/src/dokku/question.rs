//! Questions that a verb has about an app before it calls any trigger, and the lines that Dokku prints about the answers.

use anyhow::{Result, bail};
use formation::AppName;
use ps_apps::{SchedulerName, World};
use ps_cli::say;
use ps_scheduler::{Error, Running};

/// Whether the app was deployed; prints a line if it was not, so that the caller has nothing more to do.
pub(crate) fn is_deployed_or_told(world: &World, app: &AppName) -> Result<bool> {
    let is_deployed = ps_dokku::is_deployed(world, app)?;
    if !is_deployed {
        say::warning(&ps_dokku::words::not_deployed(app));
    }
    Ok(is_deployed)
}

/// Whether the app's instances run; an error if its scheduler cannot say.
pub(crate) fn running(world: &World, app: &AppName) -> Result<Running> {
    let running = match ps_schedulers::running(world, app) {
        // The error below names the scheduler, which is also the name of the plugin.
        Err(Error::Unreachable { .. }) if is_external(world, app)? => Running::Unknown,
        asked => asked?,
    };
    if running == Running::Unknown {
        let scheduler = world.scheduler_name(app)?;
        bail!("it is not known whether {app} runs: its scheduler {scheduler} does not answer");
    }
    Ok(running)
}

fn is_external(world: &World, app: &AppName) -> Result<bool> {
    Ok(matches!(world.scheduler_name(app)?, SchedulerName::External(_)))
}
