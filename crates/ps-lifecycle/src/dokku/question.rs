//! Questions for which Dokku calls a trigger: whether an app was deployed, whether it runs, which scheduler it has. For
//! docker-local they are answered from files and by one request to the engine. Another scheduler belongs to a plugin, and its
//! trigger is called.

use anyhow::{Result, bail};
use formation::AppName;
use ps_apps::{SchedulerName, Scope, World};
use ps_cli::say;
use ps_dokku::Caller;
use ps_scheduler::{Running, Scheduler};
use ps_scheduler_docker::DockerLocal;

/// Whether the app was deployed: the property `deployed` of `common`. If that is not set, the app's scheduler says it.
pub(crate) fn is_deployed(world: &World, caller: &Caller, app: &AppName) -> Result<bool> {
    let noted = world.property("common", Scope::App(app), "deployed")?.filter(|value| !value.is_empty());
    let scheduler = world.scheduler_name(app)?;
    if noted.is_some() || scheduler == SchedulerName::DockerLocal {
        return Ok(world.is_deployed(app)?);
    }
    Ok(caller.says_yes("scheduler-is-deployed", &[scheduler.as_str(), app.as_str()])?)
}

/// [`is_deployed`]; prints a line if it was not, so that the caller has nothing more to do.
pub(crate) fn is_deployed_or_told(world: &World, caller: &Caller, app: &AppName) -> Result<bool> {
    let is_deployed = is_deployed(world, caller, app)?;
    if !is_deployed {
        say::warning(&ps_dokku::words::not_deployed(app.as_str()));
    }
    Ok(is_deployed)
}

/// Whether the app's instances run; an error if its scheduler cannot say.
pub(crate) fn running(world: &World, caller: &Caller, app: &AppName) -> Result<Running> {
    let scheduler = world.scheduler_name(app)?;
    let running = if scheduler == SchedulerName::DockerLocal {
        let statuses = DockerLocal::new(world).status(&[app.to_string()])?;
        statuses.first().map_or(Running::False, ps_scheduler::AppStatus::running)
    } else {
        let answer = caller.ask("scheduler-app-status", &[scheduler.as_str(), app.as_str()])?;
        match answer.split_whitespace().nth(1) {
            Some("true") => Running::True,
            Some("false") => Running::False,
            Some("mixed") => Running::Mixed,
            _ => Running::Unknown,
        }
    };
    if running == Running::Unknown {
        bail!("nobody can tell whether {app} runs: its scheduler {scheduler} does not answer");
    }
    Ok(running)
}
