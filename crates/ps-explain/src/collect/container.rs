//! Facts about containers that only the engine has: kills for lack of memory, errors at the start, missing images.

use formation::{Exit, OutOfMemory, State};
use jiff::Timestamp;
use ps_scheduler::{AppStatus, Scheduler};
use ps_scheduler_docker::DockerLocal;
use serde_json::Value;

use super::look::Look;
use crate::facts::{End, Facts, Known, Suspension};

/// Adds what the engine's descriptions of the containers say.
pub(super) fn add(look: &Look<'_>, status: &AppStatus, facts: &mut Facts) {
    let docker = DockerLocal::new(look.world);
    let described = docker.inspect(look.app).ok();
    let descriptions = described.as_ref().and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for known in &mut facts.instances {
        let instance = status
            .instances
            .iter()
            .find(|instance| instance.slot.to_string() == known.slot && instance.run == known.run);
        let Some(id) = instance.and_then(|instance| instance.container_id.as_deref()) else { continue };
        if let Some(description) = descriptions.iter().find(|one| one["Id"] == id) {
            describe(look, description, known);
        }
    }
    let of_containers = descriptions.iter().filter_map(|description| description["Image"].as_str());
    // Where no container is left, that of the last deploy is what they would be made of.
    let deployed = if descriptions.is_empty() { deployed_image(look) } else { None };
    let mut images = of_containers.map(str::to_owned).chain(deployed);
    facts.lost_image = images.find(|image| matches!(docker.has_image(image), Ok(false)));
}

/// The image of the release that was deployed last, by its id.
fn deployed_image(look: &Look<'_>) -> Option<String> {
    let newest = look.world.newest_release(look.app).ok()??;
    look.world.kept_release(look.app, newest).ok()??.image
}

fn describe(look: &Look<'_>, description: &Value, known: &mut Known) {
    let state = &description["State"];
    let time = |name: &str| {
        state[name].as_str().and_then(|text| text.parse::<Timestamp>().ok()).filter(|at| at.as_second() > 0)
    };
    let error = state["Error"].as_str().filter(|error| !error.is_empty());
    if let Some(error) = error.filter(|_| !known.state.is_alive()) {
        known.refused = time("FinishedAt").or(known.since).map(|at| (at, look.secrets.hide(error)));
    }
    if state["Paused"] == true {
        let id = description["Id"].as_str().unwrap_or_default();
        known.suspended = Some(Suspension::Paused(id.chars().take(12).collect()));
    }
    // The engine may have started it again since its status was asked for, and its exit status is that of nothing then.
    let runs = state["Running"] == true && state["Restarting"] != true;
    let is_over = !runs && matches!(known.state, State::Crashed | State::Stopped | State::Backoff);
    let restarts = description["RestartCount"].as_u64().and_then(|count| u32::try_from(count).ok());
    known.restarts = known.restarts.max(restarts.unwrap_or(0));
    let killed = state["OOMKilled"] == true;
    if is_over || killed {
        let limit = description["HostConfig"]["Memory"].as_u64().filter(|bytes| *bytes > 0);
        let code = state["ExitCode"].as_i64().and_then(|code| i32::try_from(code).ok());
        let exit =
            code.map(
                |code| if (129..=159).contains(&code) { Exit::Signal(code - 128) } else { Exit::Code(code) },
            );
        let (begun, ended) = (time("StartedAt"), time("FinishedAt"));
        let lived = begun
            .zip(ended)
            .and_then(|(begun, ended)| u64::try_from(ended.duration_since(begun).as_millis()).ok());
        known.end = Some(End {
            at: ended,
            exit,
            cause: None,
            lived_ms: lived,
            out_of_memory: killed.then_some(OutOfMemory { limit_bytes: limit, main: true }),
            check: None,
        });
    }
    let health = state["Health"]["Log"].as_array().and_then(|log| log.last());
    if let Some(last) = health.filter(|last| last["ExitCode"] != 0 && known.state == State::Unhealthy) {
        let said = last["Output"].as_str().unwrap_or_default().trim();
        let says = match (said, &last["ExitCode"]) {
            ("", code) => format!(
                "its health check (HEALTHCHECK of its image) ended with exit status {code}, and said nothing"
            ),
            (said, _) => format!("its health check (HEALTHCHECK of its image) answered: {said}"),
        };
        known.check = Some((None, look.secrets.hide(&says)));
    }
}
