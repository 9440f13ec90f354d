//! `status`: the instances of some apps, from one list of services, one of their tasks, and one of the nodes, however many apps are asked for.

use std::collections::BTreeMap;

use formation::AppName;
use futures_util::future::try_join3;
use ps_engine::{Engine, SwarmFault};
use ps_scheduler::{AppStatus, Error};
use serde_json::Value;

use crate::failed::of_swarm;
use crate::instances::{self, Nodes};
use crate::label;
use crate::service::Service;
use crate::swarm::Swarm;
use crate::swarm_task::SwarmTask;

/// The statuses of these apps, in the same order. If nothing was ever deployed to a swarm from this world, the
/// engine is not asked.
pub(crate) fn status(swarm: &Swarm, apps: &[AppName]) -> Result<Vec<AppStatus>, Error> {
    let listens = |app: &AppName| ps_service::Service::of(swarm.world(), app, None).listens();
    let of = |app: &AppName| AppStatus { listen: listens(app), ..AppStatus::of(app.clone(), Vec::new()) };
    let mut statuses: Vec<AppStatus> = apps.iter().map(of).collect();
    let Some(world) = swarm.known_id()? else { return Ok(statuses) };
    if apps.is_empty() {
        return Ok(statuses);
    }
    let engine = swarm.engine()?;
    let only = if let [app] = apps { Some(app) } else { None };
    let labels = label::filter(&world, only);
    let lists = engine.run(lists(engine, &labels));
    let (services, tasks, nodes) = lists.map_err(|fault| of_swarm(&fault, "list what runs on the swarm"))?;
    let mut tasks_of: BTreeMap<&str, Vec<&SwarmTask>> = BTreeMap::new();
    for task in &tasks {
        tasks_of.entry(&task.service).or_default().push(task);
    }
    let mut services_of: BTreeMap<&AppName, Vec<&Service>> = BTreeMap::new();
    for service in &services {
        services_of.entry(&service.app).or_default().push(service);
    }
    for status in &mut statuses {
        let services = services_of.remove(&status.app).unwrap_or_default();
        let tasks = services.iter().filter_map(|service| tasks_of.get(service.id.as_str()));
        let tasks: Vec<&SwarmTask> = tasks.flatten().copied().collect();
        instances::of_app(status, &services, &tasks, &nodes);
    }
    Ok(statuses)
}

/// Services, tasks and nodes, asked for at the same time. None of the three is a part of another: a type without tasks is a service alone, and of its
/// node a task says no more than its id.
async fn lists(
    engine: &Engine,
    labels: &[String],
) -> Result<(Vec<Service>, Vec<SwarmTask>, Nodes), SwarmFault> {
    let filter: Vec<(&str, &str)> = labels.iter().map(|label| ("label", label.as_str())).collect();
    let services = engine.each_service(&filter, false, Service::outline);
    let tasks = engine.each_task(&filter, SwarmTask::dated);
    let (services, tasks, nodes) = try_join3(services, tasks, engine.nodes()).await?;
    Ok((services.into_iter().flatten().collect(), SwarmTask::in_order(tasks), Nodes::read(&nodes)))
}

/// The manager's descriptions of the tasks that an app has now.
pub(crate) fn inspect(swarm: &Swarm, app: &AppName) -> Result<Value, Error> {
    let not_deployed = || Error::NotDeployed { app: app.clone() };
    let world = swarm.known_id()?.ok_or_else(not_deployed)?;
    let engine = swarm.engine()?;
    let labels = label::filter(&world, Some(app));
    let filter: Vec<(&str, &str)> = labels.iter().map(|label| ("label", label.as_str())).collect();
    let lists = engine.run(async {
        Ok((engine.swarm_services(&filter, false).await?, engine.swarm_tasks(&filter).await?))
    });
    let (services, tasks) = lists.map_err(|fault: SwarmFault| of_swarm(&fault, &format!("inspect {app}")))?;
    if Service::read_all(&services).is_empty() {
        return Err(not_deployed());
    }
    let is_now = |json: &&Value| {
        let of_instance = json["Spec"]["ContainerSpec"]["Labels"][label::TASK].is_null();
        of_instance
            && SwarmTask::read_all(&Value::Array(vec![(*json).clone()])).iter().any(SwarmTask::is_current)
    };
    Ok(Value::Array(tasks.as_array().into_iter().flatten().filter(is_now).cloned().collect()))
}
