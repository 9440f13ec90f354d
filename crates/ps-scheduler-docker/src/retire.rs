//! `retire`: removes ended containers that were replaced, and one-offs whose time is over or whose program has died. A
//! running instance is left to the next deploy.

use std::collections::BTreeMap;

use formation::AppName;
use ps_engine::{Container, Engine};
use ps_scheduler::Error;

use crate::docker_local::DockerLocal;
use crate::failed::failed;
use crate::{app, image_file, label, one_off};

/// Removes the leftovers of one app, or of all apps of this world, and returns their names.
pub(crate) fn retire(docker: &DockerLocal, app: Option<&AppName>) -> Result<Vec<String>, Error> {
    let engine = docker.engine()?;
    let mut labels = vec![format!("{}={}", label::ROOT, docker.world().root().display())];
    labels.extend(app.map(|app| format!("{}={app}", label::APP)));
    let listed = engine.run(engine.list(&labels)).map_err(|fault| failed(fault, "list the containers"))?;
    let mut removed = one_offs(docker, engine, &listed)?;
    let mut apps: BTreeMap<AppName, Vec<&Container>> = BTreeMap::new();
    for container in listed.iter().filter(|container| container.is_over && label::is_instance(container)) {
        // A container whose label is no valid name of an app was not made by this program.
        if let Some(app) = container.label(label::APP).and_then(|name| name.parse().ok()) {
            apps.entry(app).or_default().push(container);
        }
    }
    let readers = engine.run(image_file::forget_dead_readers(engine, docker.world(), app));
    removed.extend(readers.map_err(|fault| failed(fault, "remove the containers of dead readers"))?);
    for (app, containers) in apps {
        let records = app::records(docker.world(), &app)?;
        for container in containers.into_iter().filter(|container| !records.contains(&container.id)) {
            let done = engine.run(engine.remove(&container.id));
            done.map_err(|fault| failed(fault, format!("remove {}", container.name)))?;
            removed.push(container.name.clone());
        }
    }
    Ok(removed)
}

/// Removes the one-offs and tasks that are due to be removed.
fn one_offs(docker: &DockerLocal, engine: &Engine, listed: &[Container]) -> Result<Vec<String>, Error> {
    let mut removed = Vec::new();
    for container in listed.iter().filter(|container| label::is_one_off(container)) {
        // The last scheduled run stays, for its log.
        let is_ended = container.is_over && !label::is_cron(container);
        if !is_ended && !one_off::is_due(container) {
            continue;
        }
        let app = container.label(label::APP).and_then(|name| name.parse::<AppName>().ok());
        let grace = app.and_then(|app| docker.world().stop_timeout(&app).ok()).unwrap_or_default();
        let done = engine.run(one_off::remove(engine, container, grace));
        done.map_err(|fault| failed(fault, format!("remove {}", container.name)))?;
        removed.push(container.name.clone());
    }
    Ok(removed)
}
