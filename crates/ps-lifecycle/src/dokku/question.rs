//! What Dokku asks triggers only to know. For docker-local the files tell, and one request to the engine; any other
//! scheduler is a plugin's, and asked.

use anyhow::{Result, bail};
use formation::AppName;
use ps_apps::{Scope, World};
use ps_cli::say;
use ps_scheduler::{Running, Scheduler};
use ps_scheduler_docker::DockerLocal;

use super::call::Caller;

const DOCKER_LOCAL: &str = "docker-local";

/// Whether the app was deployed. Where nobody wrote it down, its scheduler tells.
pub(crate) fn is_deployed(world: &World, caller: &Caller, app: &AppName) -> Result<bool> {
    let noted = world.property("common", Scope::App(app), "deployed")?.filter(|value| !value.is_empty());
    let scheduler = world.scheduler_name(app)?;
    if noted.is_some() || scheduler == DOCKER_LOCAL {
        return Ok(world.is_deployed(app)?);
    }
    caller.says_yes("scheduler-is-deployed", &[&scheduler, app.as_str()])
}

/// [`is_deployed`]; if it was not, that is said, and there is nothing to do.
pub(crate) fn is_deployed_or_told(world: &World, caller: &Caller, app: &AppName) -> Result<bool> {
    let is_deployed = is_deployed(world, caller, app)?;
    if !is_deployed {
        say::warning(&format!("App {app} has not been deployed"));
    }
    Ok(is_deployed)
}

/// Whether the app's instances run; an error where nobody can tell.
pub(crate) fn running(world: &World, caller: &Caller, app: &AppName) -> Result<Running> {
    let scheduler = world.scheduler_name(app)?;
    let running = if scheduler == DOCKER_LOCAL {
        let statuses = DockerLocal::new(world).status(&[app.to_string()])?;
        statuses.first().map_or(Running::False, ps_scheduler::AppStatus::running)
    } else {
        let answer = caller.ask("scheduler-app-status", &[&scheduler, app.as_str()])?;
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

/// The scheduler for what concerns no app in particular.
pub(crate) fn global_scheduler(world: &World) -> Result<String> {
    let selected = world.property("scheduler", Scope::Global, "selected")?;
    Ok(selected.filter(|name| !name.is_empty()).unwrap_or_else(|| DOCKER_LOCAL.to_owned()))
}

/// Whether the scheduler's containers are looked at by us.
pub(crate) fn is_docker_local(scheduler: &str) -> bool {
    scheduler == DOCKER_LOCAL
}
