//! The instances of an app, from its services, their tasks and the nodes. Pure.
//!
//! Only tasks that the swarm wants to run are counted, because the tasks of a lost node are reported as running until
//! it is back. If a task has ended and has no successor, its slot is empty, and the last task of the slot gives the
//! reason.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use formation::{Slot, State};
use jiff::{SignedDuration, Timestamp};
use ps_rollout::Role;
use ps_scheduler::cluster::NODE_LOST;
use ps_scheduler::{AppStatus, Instance, Over};
use serde_json::Value;

use crate::service::{Service, UpdateState};
use crate::swarm_task::{Phase, SwarmTask, plain};

/// The nodes of a swarm, by their ids.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nodes(BTreeMap<String, Node>);

/// A machine of the swarm.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    address: String,
    is_up: bool,
    /// Whether nothing has been heard of it since the managers chose a leader.
    is_unheard: bool,
    /// When its state last changed, by the leader's clock.
    changed: Option<Timestamp>,
}

/// How long a node that has come back may take to say which of its tasks run.
pub(crate) const REPORT: SignedDuration = SignedDuration::from_secs(10);

impl Nodes {
    /// Those of the manager's list. Machines may be called the same, and one that has left the swarm and joined it again is listed twice: each of
    /// these is told from the others by its id.
    pub(crate) fn read(list: &Value) -> Self {
        let node = |json: &Value| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let node = Node {
                name: text(&json["Description"]["Hostname"]),
                address: address(json),
                is_up: json["Status"]["State"] == "ready",
                is_unheard: json["Status"]["State"] == "unknown",
                changed: json["UpdatedAt"].as_str().and_then(|at| at.parse().ok()),
            };
            Some((json["ID"].as_str()?.to_owned(), node))
        };
        let mut nodes: BTreeMap<String, Node> =
            list.as_array().into_iter().flatten().filter_map(node).collect();
        let mut called: BTreeMap<String, usize> = BTreeMap::new();
        for node in nodes.values() {
            *called.entry(node.name.clone()).or_default() += 1;
        }
        for (id, node) in &mut nodes {
            if called.get(&node.name).is_some_and(|count| *count > 1) {
                node.name = format!("{} ({id})", node.name);
            }
        }
        Self(nodes)
    }

    fn of(&self, task: &SwarmTask) -> Option<&Node> {
        self.0.get(&task.node)
    }

    /// Whether what runs there can be asked for and ended. A node that is not known any more is gone.
    pub(crate) fn is_up(&self, task: &SwarmTask) -> bool {
        task.node.is_empty() || self.of(task).is_some_and(|node| node.is_up)
    }

    /// Whether nothing has been heard of its node since the managers chose a leader.
    fn is_unheard(&self, task: &SwarmTask) -> bool {
        self.of(task).is_some_and(|node| node.is_unheard)
    }

    /// Whether the state of a task may be from before its node went away. A node that comes back is ready at once, and says some seconds
    /// later which of its tasks run; until then the swarm shows what it knew of them before.
    pub(crate) fn may_be_stale(&self, task: &SwarmTask, now: Timestamp) -> bool {
        let Some(changed) = self.of(task).and_then(|node| node.changed) else { return false };
        task.updated.is_some_and(|updated| updated < changed) && now.duration_since(changed) < REPORT
    }

    /// Whether the node of a task has come back, or has changed otherwise, so lately that it may not have said all of its tasks yet.
    pub(crate) fn has_just_changed(&self, task: &SwarmTask, now: Timestamp) -> bool {
        let changed = self.of(task).and_then(|node| node.changed);
        changed.is_some_and(|changed| now.duration_since(changed) < REPORT)
    }

    /// Where the node of a task is reached; `None`: nobody knows.
    pub(crate) fn address(&self, task: &SwarmTask) -> Option<IpAddr> {
        self.of(task)?.address.parse().ok()
    }

    /// What a node is called, as no other one is; its id if the manager does not know it.
    pub(crate) fn name(&self, task: &SwarmTask) -> String {
        self.of(task).map_or_else(|| task.node.clone(), |node| node.name.clone())
    }
}

/// The address of a node. Some managers are described by 0.0.0.0, and say only among managers where they are.
fn address(node: &Value) -> String {
    let own = node["Status"]["Addr"].as_str().unwrap_or_default();
    let is_told = own.parse().is_ok_and(|address: IpAddr| !address.is_unspecified());
    let among_managers = node["ManagerStatus"]["Addr"].as_str().and_then(|address| address.parse().ok());
    match among_managers {
        Some(address) if !is_told => SocketAddr::ip(&address).to_string(),
        _ => own.to_owned(),
    }
}

/// The instances of an app, and what is wrong, from its services and tasks, the earlier one of a slot first.
pub(crate) fn of_app(status: &mut AppStatus, services: &[&Service], tasks: &[&SwarmTask], nodes: &Nodes) {
    for service in services {
        let of_service: Vec<&SwarmTask> =
            tasks.iter().copied().filter(|task| task.service == service.id).collect();
        status.instances.extend(of_service_in(service, &of_service, nodes));
        status.troubles.extend(trouble(service));
        let changed = service.change_by_others();
        status.troubles.extend(
            changed.map(|changed| format!("{changed}: ps-lifecycle converge {} puts it back", service.app)),
        );
    }
    let lost: BTreeSet<(String, bool)> = tasks
        .iter()
        .filter(|task| !task.phase.is_over() && !nodes.is_up(task))
        .map(|task| (nodes.name(task), nodes.is_unheard(task)))
        .collect();
    for (node, is_unheard) in lost {
        let said = if is_unheard {
            format!(
                "nothing has been heard yet of the node {node} since the managers chose a leader: what it runs is not known, ask again in half a minute"
            )
        } else {
            format!("the node {node} is down: what it still runs is not known, and others take its place")
        };
        status.troubles.push(format!("{}: {said}", status.app));
    }
    status.instances.sort_by(|one, other| (&one.slot, one.role).cmp(&(&other.slot, other.role)));
}

/// What went wrong with the last change of a service.
fn trouble(service: &Service) -> Option<String> {
    let update = service.update.as_ref()?;
    let how = match update.state {
        UpdateState::Paused => "the last update was given up half-way, and nothing was put back",
        UpdateState::RollbackPaused => "the last update failed, and putting it back failed, too",
        UpdateState::Updating
        | UpdateState::Completed
        | UpdateState::RollbackStarted
        | UpdateState::RollbackCompleted => return None,
    };
    Some(format!(
        "{} of {}: {how} ({}); deploy or restart it",
        service.process_type, service.app, update.message
    ))
}

fn of_service_in(service: &Service, tasks: &[&SwarmTask], nodes: &Nodes) -> Vec<Instance> {
    let mut rows = Vec::new();
    let mut filled = BTreeSet::new();
    let mut current: BTreeMap<u16, usize> = BTreeMap::new();
    for task in tasks.iter().filter(|task| task.is_current()) {
        *current.entry(task.slot).or_default() += 1;
    }
    for task in tasks {
        let is_leaving = !task.is_wanted() && !task.phase.is_over() && nodes.is_up(task);
        if !task.is_current() && !is_leaving {
            continue;
        }
        let is_new = task.revision.as_deref() == service.revision();
        let has_other = current.get(&task.slot).copied().unwrap_or(0) > usize::from(task.is_current());
        let role = match (is_leaving, is_new && has_other && task.phase != Phase::Running) {
            (true, _) => Role::Leaving,
            (false, true) => Role::Incoming,
            (false, false) => Role::Current,
        };
        if !is_leaving {
            filled.insert(task.slot);
        }
        let mut row = row(service, task, role, nodes);
        if row.note.is_none() && task.phase != Phase::Running && !is_leaving {
            row.note = lost_before(task, tasks, nodes);
        }
        if row.state == State::Backoff {
            row.last_exit = row.last_exit.or_else(|| ended_before(task, tasks)?.exit);
        }
        rows.push(row);
    }
    let missing = usize::from(service.replicas).saturating_sub(filled.len());
    rows.extend(ended(service, tasks, &filled, missing));
    let stopped = if service.replicas == 0 { service.stopped() } else { 0 };
    rows.extend((1..=stopped).filter(|index| !filled.contains(index)).map(|index| {
        let mut row = Instance::new(slot(service, index), State::Stopped);
        (row.over, row.role) = (Some(Over::StoppedByHand), Some(Role::Current));
        row.is_interchangeable = true;
        row
    }));
    rows
}

/// The task whose end a task waits out that takes its place.
fn ended_before<'a>(task: &SwarmTask, tasks: &[&'a SwarmTask]) -> Option<&'a SwarmTask> {
    tasks.iter().rfind(|before| before.slot == task.slot && before.phase == Phase::Failed).copied()
}

/// That a task takes the place of one whose node is down.
fn lost_before(task: &SwarmTask, tasks: &[&SwarmTask], nodes: &Nodes) -> Option<String> {
    let is_lost = |before: &&&SwarmTask| {
        before.slot == task.slot && !before.is_wanted() && !before.phase.is_over() && !nodes.is_up(before)
    };
    let lost = tasks.iter().find(is_lost)?;
    Some(format!("{NODE_LOST}{} is down, so the swarm starts it on another one", nodes.name(lost)))
}

fn slot(service: &Service, index: u16) -> Slot {
    Slot::new(service.process_type.clone(), index)
}

fn row(service: &Service, task: &SwarmTask, role: Role, nodes: &Nodes) -> Instance {
    let mut row = Instance::new(slot(service, task.slot), task.state());
    row.role = Some(role);
    row.is_interchangeable = true;
    row.is_altered = !service.altered.parts.is_empty();
    row.release = task.release;
    row.container_id.clone_from(&task.container);
    row.since = task.since;
    row.last_exit = task.exit;
    row.task = Some(task.id.clone());
    row.node = (!task.node.is_empty()).then(|| nodes.name(task));
    row.port = ps_release::in_container::port(&service.process_type);
    let published = task.published.first().zip(nodes.of(task).filter(|node| !node.address.is_empty()));
    row.address = published.map(|(port, node)| format!("{}:{port}", node.address));
    row.note = (!task.reason.is_empty()).then(|| plain(&task.reason).to_owned());
    row
}

/// Rows for slots that are wanted and have no task: those whose last task ended for good, then any that were never filled.
fn ended(service: &Service, tasks: &[&SwarmTask], filled: &BTreeSet<u16>, missing: usize) -> Vec<Instance> {
    // Of a slot the last one in the list is the latest.
    let last: BTreeMap<u16, &&SwarmTask> =
        tasks.iter().filter(|task| !filled.contains(&task.slot)).map(|task| (task.slot, task)).collect();
    let is_of_now = |task: &&&SwarmTask| task.revision.as_deref() == service.revision();
    let known = last.into_values().filter(is_of_now).take(missing).map(|task| {
        let (state, over) = match task.phase {
            Phase::Complete if service.ends_for_good() => (State::Stopped, Some(Over::Finished)),
            Phase::Failed | Phase::Rejected if service.gives_up() => (State::Crashed, Some(Over::GivenUp)),
            Phase::Failed | Phase::Rejected => (State::Backoff, None),
            _ => (State::Missing, None),
        };
        let mut row = Instance::new(slot(service, task.slot), state);
        (row.over, row.role, row.last_exit, row.since) = (over, Some(Role::Current), task.exit, task.since);
        (row.task, row.is_interchangeable) = (Some(task.id.clone()), true);
        row.note = task.end_in_words();
        row
    });
    let known: Vec<Instance> = known.collect();
    let taken: BTreeSet<u16> = filled.iter().copied().chain(known.iter().map(|row| row.slot.index)).collect();
    let free = (1..=u16::MAX).filter(|index| !taken.contains(index)).take(missing - known.len());
    let never = free.map(|index| {
        let mut row = Instance::new(slot(service, index), State::Waiting);
        (row.role, row.is_interchangeable) = (Some(Role::Current), true);
        row.note = Some("the swarm has not made it yet".to_owned());
        row
    });
    known.iter().cloned().chain(never).collect()
}

#[cfg(test)]
mod tests;
