//! The Docker Engine, for the apps that run in containers.

use anyhow::Result;
use ps_apps::{SchedulerName, World};
use ps_rows::FindingRow;
use ps_scheduler_docker::DockerLocal;

/// The name of the check of the engine.
pub(super) const CHECK: &str = "engine";

/// Whether the engine answers, and whether it is a node of a swarm. A missing engine is a failure only if an app
/// needs it.
pub(super) fn engine(world: &World) -> Result<Vec<FindingRow>> {
    let mut apps = Vec::new();
    for app in world.apps()? {
        if world.scheduler_name(&app.name)? == SchedulerName::DockerLocal {
            apps.push(app.name);
        }
    }
    let facts = match DockerLocal::new(world).facts() {
        Ok(facts) => facts,
        Err(error) if apps.is_empty() => {
            return Ok(vec![FindingRow::pass(CHECK, format!("no app needs one ({error})"))]);
        }
        Err(error) => {
            return Ok(vec![FindingRow::fail(
                CHECK,
                format!("{} apps run in containers, and {error}", apps.len()),
                "systemctl start docker; or name its socket with DOCKER_HOST; or join the group docker",
            )]);
        }
    };
    let mut rows = vec![FindingRow::pass(
        CHECK,
        format!("version {} answers, {} apps run in containers", facts.version, apps.len()),
    )];
    rows.push(match facts.swarm.as_deref() {
        Some("active") => FindingRow::pass("swarm", "the engine is a node of a swarm"),
        Some("error" | "locked" | "pending") => FindingRow::warn(
            "swarm",
            format!("the engine's swarm is {}", facts.swarm.as_deref().unwrap_or_default()),
            "docker node ls; docker swarm unlock where it is locked",
        ),
        _ => FindingRow::pass("swarm", "the engine is no node of a swarm"),
    });
    Ok(rows)
}
