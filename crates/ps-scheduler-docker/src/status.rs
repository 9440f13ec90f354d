//! `status`: every instance of some apps, from their records and one listing of the engine.

use std::collections::{BTreeMap, HashMap};

use formation::{AppName, Slot, State};
use jiff::Timestamp;
use ps_apps::{InstanceFiles, InstanceRecord, World};
use ps_engine::Container;
use ps_rollout::Role;
use ps_scheduler::{AppStatus, Doubtful, Error, Instance, Over};
use ps_service::Service;

use crate::docker_local::DockerLocal;
use crate::failed::failed;
use crate::one_shot::OneShots;
use crate::rollout_file::RolloutFile;
use crate::schedule_file::Schedules;
use crate::watch_file::Watched;
use crate::{app, label};

/// The statuses of these apps, in the order asked. If none of them has a record, the engine is not asked. A container belongs to
/// the record that has its id; labels do not decide, because containers that Dokku made do not have those of this project. A
/// container without a record has a row of its own during a rollout.
pub(crate) fn status(docker: &DockerLocal, apps: &[AppName]) -> Result<Vec<AppStatus>, Error> {
    let world = docker.world();
    let records: Vec<InstanceFiles> =
        apps.iter().map(|app| app::records(world, app)).collect::<Result<_, _>>()?;
    let schedules: Vec<Schedules> = apps.iter().map(|app| Schedules::read(world, app)).collect();
    let is_scheduled = schedules.iter().any(|schedules| !schedules.types.is_empty());
    let is_recorded = records.iter().any(|records| !records.slots.is_empty());
    let listed = if is_recorded || is_scheduled { listed(docker, is_scheduled)? } else { Vec::new() };
    let (listed, others): (Vec<_>, Vec<_>) = listed.into_iter().partition(label::is_instance);
    let by_id: HashMap<&str, &Container> =
        listed.iter().map(|container| (container.id.as_str(), container)).collect();
    let beside = unrecorded(world, &listed);
    let instances = |app: &AppName, records: &InstanceFiles, schedules: &Schedules| {
        let is_over = |id: &String| by_id.get(id.as_str()).is_some_and(|container| container.is_over);
        let has_ended = records.slots.values().any(|record| record.id.as_ref().is_some_and(is_over));
        let (stopped, unread) = if has_ended { stopped(world, app) } else { Default::default() };
        // If clients are not directed to an instance, its address is not recorded.
        let is_hidden = |record: &InstanceRecord| {
            let container = record.id.as_ref().and_then(|id| by_id.get(id.as_str()));
            record.ip.is_none() && container.is_some_and(|container| container.state.is_alive())
        };
        let is_watched = has_ended || records.slots.values().any(is_hidden);
        let watched = if is_watched { Watched::read(world, app) } else { Watched::default() };
        let one_shots = OneShots::of(world, app);
        let recorded = records.slots.iter().map(|(slot, record)| {
            let mut instance = instance(slot, record, &by_id);
            let container = record.id.as_ref().and_then(|id| by_id.get(id.as_str()));
            if container.is_some_and(|container| one_shots.has_finished(slot, container)) {
                instance.over = Some(Over::Finished);
            }
            let over = record.id.as_ref().filter(|id| is_over(id));
            let is_stopped = over.is_some() && stopped.get(slot) == over;
            if is_stopped {
                // Its exit status does not matter here: after an engine died, all containers have the same one.
                (instance.over, instance.state) = (Some(Over::StoppedByHand), State::Stopped);
            }
            if over.is_some_and(|id| watched.is_given_up(slot, id)) {
                (instance.over, instance.state) = (Some(Over::GivenUp), State::Crashed);
            }
            let hidden = record.id.as_ref().filter(|_| is_hidden(record));
            if let Some(withdrawn) = hidden.and_then(|id| watched.withdrawn(slot, id)) {
                (instance.state, instance.note) = (State::Unready, Some(withdrawn.why.clone()));
            }
            instance
        });
        let beside = beside.get(app.as_str()).map(Vec::as_slice).unwrap_or_default();
        let beside = beside.iter().filter(|container| !records.contains(&container.id));
        let mut all: Vec<Instance> = recorded.chain(rolling(world, app, beside)).collect();
        let is_up = all.iter().any(|instance| instance.state.is_alive());
        all.extend(scheduled(world, app, schedules, &others, is_up));
        all.sort_by(|a, b| (&a.slot, a.run).cmp(&(&b.slot, b.run)));
        let doubtful = unread.map(|reason| Doubtful { slots: unexplained(&all, is_over), reason });
        (all, doubtful)
    };
    let statuses = apps.iter().zip(&records).zip(&schedules);
    let statuses =
        statuses.map(|((app, records), schedules)| of_app(world, app, instances(app, records, schedules)));
    Ok(statuses.collect())
}

fn of_app(
    world: &World,
    app: &AppName,
    (instances, doubtful): (Vec<Instance>, Option<Doubtful>),
) -> AppStatus {
    let listen = Service::of(world, app, None).listens();
    let said =
        doubtful.iter().filter(|doubtful| !doubtful.slots.is_empty()).map(|doubtful| doubtful.said(app));
    AppStatus { listen, troubles: said.collect(), doubtful, ..AppStatus::of(app.clone(), instances) }
}

/// The slots whose container has ended without a known reason.
fn unexplained(instances: &[Instance], is_over: impl Fn(&String) -> bool) -> Vec<Slot> {
    let is_ended = |now: &&Instance| now.over.is_none() && now.container_id.as_ref().is_some_and(&is_over);
    instances.iter().filter(is_ended).map(|now| now.slot.clone()).collect()
}

/// The container of each slot that a person stopped, and the error if that cannot be read.
fn stopped(world: &World, app: &AppName) -> (BTreeMap<Slot, String>, Option<String>) {
    let (written, unread) = RolloutFile::new(world, app).read();
    (written.stopped, unread)
}

/// All instances on the engine. If a type is scheduled, also all other containers with a kind, because a scheduled run is not an instance.
fn listed(docker: &DockerLocal, is_scheduled: bool) -> Result<Vec<Container>, Error> {
    let engine = docker.engine()?;
    let kinds = if is_scheduled { label::CONTAINER_TYPE } else { label::DEPLOYED };
    let listed = engine.run(engine.list(&[kinds.to_owned()]));
    listed.map_err(|fault| failed(fault, "list the containers"))
}

/// The rows of scheduled types. `is_up`: an instance of the app runs, so the app was not stopped.
fn scheduled(
    world: &World,
    app: &AppName,
    schedules: &Schedules,
    others: &[Container],
    is_up: bool,
) -> Vec<Instance> {
    if schedules.types.is_empty() {
        return Vec::new();
    }
    let root = world.root().display().to_string();
    let is_ours = |container: &&Container| {
        label::is_cron(container)
            && container.may_serve()
            && container.label(label::ROOT) == Some(&root)
            && container.label(label::APP) == Some(app.as_str())
    };
    let running: Vec<&Container> = others.iter().filter(is_ours).collect();
    let is_stopped = !is_up && !world.is_restored(app).unwrap_or(true);
    let mut rows = schedules.rows(is_stopped);
    for row in &mut rows {
        let run = running.iter().find(|container| label::slot(container).as_ref() == Some(&row.slot));
        if let Some(container) = run {
            (row.state, row.over) = (container.state, None);
            row.container_id = Some(container.id.clone());
            let since = i64::try_from(container.created.as_secs()).unwrap_or(0);
            row.since = Timestamp::from_second(since).ok();
        }
    }
    rows
}

/// The containers of this world that are runs, by app.
fn unrecorded<'a>(world: &World, listed: &'a [Container]) -> BTreeMap<&'a str, Vec<&'a Container>> {
    let root = world.root().display().to_string();
    let mut of_apps: BTreeMap<&str, Vec<&Container>> = BTreeMap::new();
    for container in listed.iter().filter(|container| container.label(label::ROOT) == Some(&root)) {
        of_apps.entry(container.label(label::APP).unwrap_or_default()).or_default().push(container);
    }
    of_apps
}

/// The rows of containers without a record, if the app is in the middle of a rollout.
fn rolling<'a>(
    world: &World,
    app: &AppName,
    beside: impl Iterator<Item = &'a &'a Container>,
) -> Vec<Instance> {
    let mut beside = beside.filter_map(|container| Some((label::slot(container)?, *container))).peekable();
    if beside.peek().is_none() {
        return Vec::new();
    }
    let (written, _) = RolloutFile::new(world, app).read();
    let Some(under_way) = written.unfinished() else { return Vec::new() };
    let is_committed = under_way.rollout.state() == ps_rollout::State::Committed;
    let role = if is_committed { Role::Leaving } else { Role::Incoming };
    let row = |(slot, container): (Slot, &Container)| {
        let mut instance = Instance::new(slot, container.state);
        instance.container_id = Some(container.id.clone());
        describe(&mut instance, container, role);
        instance
    };
    beside.map(row).collect()
}

fn instance(slot: &Slot, record: &InstanceRecord, by_id: &HashMap<&str, &Container>) -> Instance {
    let container = record.id.as_deref().and_then(|id| by_id.get(id));
    let mut instance = Instance::new(slot.clone(), container.map_or(State::Missing, |found| found.state));
    instance.container_id.clone_from(&record.id);
    instance.port = record.port;
    instance.role = Some(Role::Current);
    if let Some(container) = container {
        describe(&mut instance, container, Role::Current);
        let ip = container.ip.as_deref().filter(|_| container.state.is_alive());
        instance.address = ip.zip(record.port).map(|(ip, port)| format!("{ip}:{port}"));
    }
    instance
}

fn describe(instance: &mut Instance, container: &Container, role: Role) {
    instance.run = label::run_number(container);
    instance.release = label::release(container);
    instance.lane = Some(label::lane(container));
    instance.role = Some(role);
    instance.last_exit = container.last_exit;
}
