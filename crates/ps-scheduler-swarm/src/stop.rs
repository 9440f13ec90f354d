//! `stop`: removes the tasks of services and waits until they have ended. The services stay, and record how many tasks
//! there were.

use std::collections::BTreeSet;

use formation::{Exit, ProcessType, Slot, Which};
use ps_scheduler::{Error, Progress, Requester, StopOrder, Stopped};

use crate::clients::Clients;
use crate::follow::Follower;
use crate::limit::Limit;
use crate::manager::{AFTER_GRACE, Manager, Seen, scaled};
use crate::service::Service;
use crate::swarm::Swarm;
use crate::swarm_task::SwarmTask;
use crate::{committed, one_off, secret, task};

/// Ends instances, and with `remove` everything of the app that is on the swarm.
pub(crate) fn stop(
    swarm: &Swarm,
    order: &StopOrder,
    requester: &mut Requester<'_>,
) -> Result<Stopped, Error> {
    let Some(world) = swarm.known_id()? else { return absent(order) };
    let engine = swarm.engine()?;
    let clients = Clients::here(swarm.world(), &order.app);
    let is_all = order.which == Which::All;
    if let Some(clients) = clients.as_ref().filter(|clients| is_all && clients.are_shared()) {
        clients.leave(requester)?;
    }
    let led = clients.as_ref().filter(|_| !is_all);
    let manager = Manager { clients: led, ..Manager::new(engine, &world, &order.app, requester.cancel) };
    let stopped = engine.run(async {
        let seen = manager.look().await?;
        let grace = seen.services.iter().map(Service::grace).max().unwrap_or_default().max(order.grace);
        let waits = grace.saturating_add(AFTER_GRACE);
        let ends = async {
            let stopped = ended(&manager, &seen, order, requester.tell).await?;
            if order.remove && is_all {
                for service in &seen.services {
                    manager.remove(&service.id).await?;
                }
            }
            Ok(stopped)
        };
        let stopped = Limit::of(format!("the stop of {}", order.app), &order.app, waits)
            .hold(&manager.contact, ends)
            .await?;
        if order.remove && is_all {
            task::forget_all(&manager).await?;
            one_off::forget(&manager, true).await?;
            secret::collect(&manager).await?;
        }
        Ok(stopped)
    })?;
    if order.remove && is_all {
        committed::forget(swarm.world(), &order.app)?;
    }
    if let Some(clients) = clients.filter(|_| is_all && stopped.remaining.is_empty()) {
        clients.close(order.remove)?;
    }
    Ok(stopped)
}

fn absent(order: &StopOrder) -> Result<Stopped, Error> {
    if order.remove { Ok(Stopped::default()) } else { Err(Error::NotDeployed { app: order.app.clone() }) }
}

async fn ended(
    manager: &Manager<'_>,
    seen: &Seen,
    order: &StopOrder,
    tell: &mut dyn FnMut(Progress),
) -> Result<Stopped, Error> {
    let meant = chosen(seen, order)?;
    let mut follower = Follower::default();
    follower.know(seen);
    let nodes = manager.nodes().await?;
    let mut running: Vec<(Slot, &SwarmTask)> = Vec::new();
    for service in &meant {
        let tasks = seen.tasks_of(&service.id).filter(|task| !task.phase.is_over() && nodes.is_up(task));
        running.extend(tasks.map(|task| (Slot::new(service.process_type.clone(), task.slot), task)));
        let before = service.replicas.max(service.stopped());
        manager.bring(&service.id, |service| scaled(service, 0, before)).await?;
    }
    let services: BTreeSet<String> = meant.iter().map(|service| service.id.clone()).collect();
    let grace = meant.iter().map(|service| service.grace()).max().unwrap_or_default().max(order.grace);
    let left = follower.ended(manager, &services, grace + AFTER_GRACE, tell).await?;
    let after = manager.look().await?;
    let exit = |task: &SwarmTask| -> Option<Exit> {
        after.tasks.iter().find(|now| now.id == task.id).and_then(|now| now.exit)
    };
    let is_left = |slot: &Slot| left.iter().any(|(other, _)| other == slot);
    let has_run = |task: &SwarmTask| task.container.is_some();
    let ended = running.iter().filter(|(slot, task)| has_run(task) && !is_left(slot));
    let ended: Vec<(Slot, Option<Exit>)> = ended.map(|(slot, task)| (slot.clone(), exit(task))).collect();
    Ok(Stopped { ended, remaining: left })
}

/// The services that are meant.
fn chosen<'a>(seen: &'a Seen, order: &StopOrder) -> Result<Vec<&'a Service>, Error> {
    if seen.services.is_empty() {
        return absent(order).map(|_| Vec::new());
    }
    let process_type: Option<&ProcessType> = match &order.which {
        Which::All => None,
        Which::Type(process_type) => Some(process_type),
        Which::Slot(slot) => Some(&slot.process_type),
    };
    let meant: Vec<&Service> = seen
        .services
        .iter()
        .filter(|service| process_type.is_none_or(|name| service.process_type == *name))
        .collect();
    let is_there = |slot: &Slot| {
        let mut tasks = meant.iter().flat_map(|service| seen.tasks_of(&service.id));
        tasks.any(|task| task.slot == slot.index && task.is_current())
    };
    let is_alone = meant.iter().all(|service| service.replicas <= 1);
    match &order.which {
        _ if meant.is_empty() => Err(no_such(seen, order)),
        Which::Slot(slot) if !is_there(slot) && is_alone => Err(no_such(seen, order)),
        Which::Slot(_) if !is_alone => Err(Error::Unsupported {
            scheduler: "swarm".to_owned(),
            what: "end one instance of several, because a swarm chooses which one ends: stop the whole type, or set a lower count with ps-scale",
        }),
        Which::All | Which::Type(_) | Which::Slot(_) => Ok(meant),
    }
}

fn no_such(seen: &Seen, order: &StopOrder) -> Error {
    let present: Vec<String> = seen
        .services
        .iter()
        .map(|service| format!("{}={}", service.process_type, service.replicas.max(service.stopped())))
        .collect();
    Error::NoSuchInstance {
        app: order.app.clone(),
        which: order.which.to_string(),
        present: present.join(" "),
    }
}
