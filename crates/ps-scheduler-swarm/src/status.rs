//! `status`: the instances of some apps, from one list of services, one of their tasks, and one of the nodes, however many apps are asked for.

use std::collections::BTreeMap;
use std::time::Duration;

use formation::{AppName, State};
use futures_util::future::try_join3;
use jiff::Timestamp;
use ps_engine::{Engine, SwarmFault};
use ps_scheduler::cluster::NO_QUORUM;
use ps_scheduler::{AppStatus, Error};
use serde_json::Value;

use crate::failed::{self, of_swarm};
use crate::instances::{self, Nodes};
use crate::limit::Limit;
use crate::manager::Contact;
use crate::quorum::{self, Lost};
use crate::service::Service;
use crate::swarm::Swarm;
use crate::swarm_task::SwarmTask;
use crate::taken_port;
use crate::{committed, label};

/// How long a manager may go without an answer to another one before it counts as gone.
const A_MOMENT: Duration = Duration::from_secs(1);

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
    let of_apps = label::of_instances(only);
    let limit = Limit::of_status(&of_which(apps), &apps[0]);
    let lists = engine.run(limit.hold(&Contact::default(), async {
        let lists = confirmed(engine, &world, &of_apps).await;
        lists.map_err(|fault| of_swarm(&fault, "list what runs on the swarm"))
    }))?;
    let Lists { services, tasks, nodes, lost, latest, owners } = lists;
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
        name_owners(status, &services, &owners);
        if services.is_empty() && is_to_run(swarm, &status.app)? {
            status.troubles.push(format!(
                "{0}: the swarm has none of its services any more, so somebody has removed them: ps-lifecycle converge {0} makes them again",
                status.app
            ));
        }
        if let Some(lost) = lost.as_ref().filter(|_| !services.is_empty()) {
            doubt(status, lost, latest);
        }
    }
    Ok(statuses)
}

/// What is asked for, for a message.
fn of_which(apps: &[AppName]) -> String {
    if let [app] = apps { format!("the status of {app}") } else { "the status of the apps".to_owned() }
}

/// Whether an app was deployed here and is to have instances.
fn is_to_run(swarm: &Swarm, app: &AppName) -> Result<bool, Error> {
    if committed::read(swarm.world(), app)?.is_none() {
        return Ok(false);
    }
    let world = swarm.world();
    let stored = world.formation(app).and_then(|stored| Ok((stored, world.known_types(app)?)));
    let (stored, known) =
        stored.map_err(|error| failed::backend(&format!("read the counts of {app}"), error.to_string()))?;
    let wanted = ps_release::runnable_of(&stored, known.as_ref()).formation;
    Ok(wanted.iter().any(|(_, count)| count.get() > 0))
}

/// What the manager says of some apps.
struct Lists {
    services: Vec<Service>,
    tasks: Vec<SwarmTask>,
    nodes: Nodes,
    /// The quorum that is lost, if it is.
    lost: Option<Lost>,
    /// The newest change that the manager knows of.
    latest: Option<Timestamp>,
    /// All services of the swarm, where an instance waits for a port of a node.
    owners: Value,
}

/// What the manager says. A manager that lives may go without an answer to another one for a moment, so a quorum is believed to be lost if it still
/// is after a second.
async fn confirmed(engine: &Engine, world: &str, of_apps: &str) -> Result<Lists, SwarmFault> {
    let first = lists(engine, world, of_apps).await?;
    if first.lost.is_none() {
        return Ok(first);
    }
    tokio::time::sleep(A_MOMENT).await;
    lists(engine, world, of_apps).await
}

/// Nobody knows what became of the instances since the quorum was lost.
fn doubt(status: &mut AppStatus, lost: &Lost, latest: Option<Timestamp>) {
    status.troubles.push(format!("{}: {}", status.app, lost.said(latest)));
    for instance in &mut status.instances {
        let was = instance.state.as_str();
        let note = format!("{NO_QUORUM}: it was {was} before, and {}", quorum::newest(latest));
        (instance.state, instance.note, instance.since) = (State::Unknown, Some(note), latest);
    }
}

/// Adds to the reason of each instance that waits for a port of the nodes whose that is.
fn name_owners(status: &mut AppStatus, services: &[&Service], all: &Value) {
    for instance in &mut status.instances {
        let Some(note) = instance.note.as_mut().filter(|note| taken_port::is_reason(note)) else { continue };
        let is_its = |service: &&&Service| service.process_type == instance.slot.process_type;
        let owners = services.iter().find(is_its).and_then(|service| taken_port::owners(service, all));
        if let Some(owners) = owners {
            *note = format!("{note}; {}", owners.said);
        }
    }
}

/// Services, tasks and nodes, asked for at the same time. None of the three is a part of another: a type without tasks is a service alone, and of its
/// node a task says no more than its id.
async fn lists(engine: &Engine, world: &str, of_apps: &str) -> Result<Lists, SwarmFault> {
    let filter = [("label", of_apps)];
    let of_world =
        |json: &Value| label::is_of(world, &json["Spec"]).then(|| Service::outline(json)).flatten();
    let services = engine.each_service(&filter, false, of_world);
    let tasks = engine.each_task(&filter, SwarmTask::dated);
    let (services, tasks, nodes) = try_join3(services, tasks, engine.nodes()).await?;
    let tasks = SwarmTask::in_order(tasks);
    let waits = |task: &SwarmTask| task.is_current() && taken_port::is_reason(&task.reason);
    let owners = if tasks.iter().any(waits) {
        engine.each_service(&[], false, taken_port::outline).await?
    } else {
        Vec::new()
    };
    Ok(Lists {
        services: services.into_iter().flatten().collect(),
        lost: Lost::of(&nodes),
        latest: tasks.iter().filter_map(|task| task.updated).max().max(quorum::latest(&nodes)),
        nodes: Nodes::read(&nodes),
        owners: Value::Array(owners),
        tasks,
    })
}

/// The manager's descriptions of the tasks that an app has now.
pub(crate) fn inspect(swarm: &Swarm, app: &AppName) -> Result<Value, Error> {
    let not_deployed = || Error::NotDeployed { app: app.clone() };
    let world = swarm.known_id()?.ok_or_else(not_deployed)?;
    let engine = swarm.engine()?;
    let of_app = label::of_instances(Some(app));
    let filter = [("label", of_app.as_str())];
    let lists = engine.run(async {
        Ok((engine.swarm_services(&filter, false).await?, engine.swarm_tasks(&filter).await?))
    });
    let (services, tasks) = lists.map_err(|fault: SwarmFault| of_swarm(&fault, &format!("inspect {app}")))?;
    let services = Service::of_world(&world, &services);
    if services.is_empty() {
        return Err(not_deployed());
    }
    let is_now = |json: &&Value| {
        let of_instance = services.iter().any(|service| json["ServiceID"] == *service.id);
        of_instance
            && SwarmTask::read_all(&Value::Array(vec![(*json).clone()])).iter().any(SwarmTask::is_current)
    };
    Ok(Value::Array(tasks.as_array().into_iter().flatten().filter(is_now).cloned().collect()))
}
