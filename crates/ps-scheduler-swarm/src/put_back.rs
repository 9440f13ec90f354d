//! Puts services back to their state before a failed change, and reports what is different nevertheless.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use formation::ProcessType;
use ps_scheduler::{Cancel, Error};
use serde_json::Value;

use crate::follow::Follower;
use crate::label;
use crate::manager::{AFTER_GRACE, LOOK, Manager, scaled};
use crate::service::{self, Service, UpdateState};
use crate::standing::Move;
use crate::swarm_task::{Phase, SwarmTask};

/// How many looks in a row must show what was before.
const SETTLED: u32 = 4;
/// How long a swarm waits for the end of a task that it has replaced. One that had no node yet never says that it has ended: if it is the successor
/// of one that failed, and its slot is put back at that moment, the slot is empty for so long.
const OF_THE_REPLACED: Duration = Duration::from_secs(60);

/// Puts these changes back; the sentences say what is not as it was. It goes on also if the verb was cancelled.
pub(crate) async fn all(
    manager: &Manager<'_>,
    moves: &[Move],
    within: Duration,
    silent_since: &BTreeMap<ProcessType, Instant>,
) -> Result<Vec<String>, Error> {
    let never = Cancel::default();
    let manager = Manager { cancel: &never, ..*manager };
    let mut made = Vec::new();
    for moved in moves {
        match &moved.old {
            Some(old) => drop(manager.bring(&moved.service.id, |_| old.clone()).await?),
            None => made.push(&moved.service),
        }
    }
    remove(&manager, &made).await?;
    let mut sentences = Vec::new();
    for moved in moves {
        if let Some(old) = &moved.old {
            let until = Instant::now() + within + OF_THE_REPLACED;
            sentences.extend(whole(&manager, moved, old, until, silent_since).await?);
        }
    }
    Ok(sentences)
}

/// Ends the tasks of these services, and then removes the services. The order matters: once a service is removed, the
/// swarm does not report whether its containers have ended.
async fn remove(manager: &Manager<'_>, services: &[&Service]) -> Result<(), Error> {
    for service in services {
        manager.bring(&service.id, |service| scaled(service, 0, 0)).await?;
    }
    let ids: BTreeSet<String> = services.iter().map(|service| service.id.clone()).collect();
    let grace = services.iter().map(|service| service.grace()).max().unwrap_or_default();
    Follower::default().ended(manager, &ids, grace + AFTER_GRACE, &mut |_| ()).await?;
    for id in &ids {
        manager.remove(id).await?;
    }
    Ok(())
}

/// Waits until what ran before runs again.
async fn whole(
    manager: &Manager<'_>,
    moved: &Move,
    old: &Value,
    until: Instant,
    silent_since: &BTreeMap<ProcessType, Instant>,
) -> Result<Vec<String>, Error> {
    let (process_type, app) = (&moved.service.process_type, manager.app);
    let revision = service::revision(&old["TaskTemplate"]);
    let wanted = old["Mode"]["Replicated"]["Replicas"].as_u64().unwrap_or(0);
    let mut looks = 0;
    loop {
        let (seen, nodes) = (manager.look().await?, manager.nodes().await?);
        // Of a node of which nothing is heard, a swarm repeats what was true before.
        let is_old = |task: &&SwarmTask| {
            task.is_current() && task.revision.as_deref() == revision && nodes.is_up(task)
        };
        let tasks: Vec<&SwarmTask> = seen.tasks_of(&moved.service.id).collect();
        let running = tasks.iter().copied().filter(is_old).filter(|task| task.phase == Phase::Running);
        let running: Vec<&SwarmTask> = running.collect();
        // A task that failed may have got a successor just before, which the swarm takes away again.
        let current = tasks.iter().filter(|task| task.is_current()).count() as u64;
        let is_over = |task: &&SwarmTask| task.phase.is_over() || task.is_wanted() || !nodes.is_up(task);
        let service = seen.services.iter().find(|service| service.id == moved.service.id);
        let state = service.and_then(|service| service.update.as_ref()).map(|update| update.state);
        let is_busy = matches!(state, Some(UpdateState::Updating | UpdateState::RollbackStarted));
        let is_whole = running.len() as u64 >= wanted
            && current == wanted
            && tasks.iter().copied().all(|task| is_over(&task))
            && !is_busy;
        // It has been so for a while: the swarm may not have seen every end yet.
        looks = if is_whole { looks + 1 } else { 0 };
        if looks < SETTLED && Instant::now() < until {
            tokio::time::sleep(LOOK).await;
            continue;
        }
        let mut sentences = Vec::new();
        for task in running.iter().filter(|task| !moved.before.contains(&task.id)) {
            let silence = silent_since.get(process_type).map(Instant::elapsed);
            let outage =
                silence.map(|time| format!(": clients could not reach it for {:.1} s", time.as_secs_f64()));
            let index = task.slot;
            sentences.push(format!(
                "{process_type}.{index} runs the earlier release again, in another container{}",
                outage.unwrap_or_default()
            ));
        }
        if !is_whole {
            let count = running.len();
            sentences.push(format!(
                "{count} of {wanted} instances of {process_type} of {app} run the earlier release"
            ));
        }
        return Ok(sentences);
    }
}

/// Puts back the services that a deploy has changed whose caller died before it was committed: those that are of another deploy than the one
/// that was committed last.
pub(crate) async fn interrupted(
    manager: &Manager<'_>,
    committed: Option<&str>,
) -> Result<Vec<String>, Error> {
    let seen = manager.look().await?;
    let is_left = |service: &&Service| service.deploy() != committed;
    let mut sentences = Vec::new();
    for service in seen.services.iter().filter(is_left) {
        let process_type = &service.process_type;
        let is_committed =
            |spec: &Value| committed.is_some() && spec["Labels"][label::DEPLOY].as_str() == committed;
        if let Some(spec) = service.previous.clone().filter(is_committed) {
            manager.bring(&service.id, |_| spec.clone()).await?;
            sentences
                .push(format!("{process_type} goes back to the earlier release: its deploy was interrupted"));
        } else if service.is_nudged() {
            // The swarm has forgotten what the service was before.
            sentences.push(format!(
                "{process_type} runs the release of a deploy that was interrupted: ps-lifecycle rebuild {0} puts the earlier one back, deploy the later one",
                manager.app
            ));
        } else {
            remove(manager, &[service]).await?;
            sentences.push(format!("{process_type} is removed: the deploy that made it was interrupted"));
        }
    }
    Ok(sentences)
}
