//! Puts services back to their state before a failed change, and reports what is different nevertheless.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use formation::ProcessType;
use ps_scheduler::{Cancel, Error};
use serde_json::Value;

use crate::follow::Follower;
use crate::instances::Nodes;
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
    // All go back at the same time, so one limit is for all of them.
    let until = Instant::now() + within + OF_THE_REPLACED;
    for moved in moves {
        if let Some(old) = &moved.old {
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

/// How much of what ran before runs again.
struct Back<'a> {
    running: Vec<&'a SwarmTask>,
    /// Whether that is all of it, and nothing else is left.
    is_whole: bool,
}

/// What the tasks of a service say that goes back to this revision. Of a node of which nothing is heard, a swarm repeats what was true before: what
/// is said to run there does not count, and nobody waits for its end.
fn back<'a>(tasks: &[&'a SwarmTask], revision: Option<&str>, wanted: u64, nodes: &Nodes) -> Back<'a> {
    let is_old =
        |task: &&SwarmTask| task.is_current() && task.revision.as_deref() == revision && nodes.is_up(task);
    let running = tasks.iter().copied().filter(is_old).filter(|task| task.phase == Phase::Running);
    let running: Vec<&SwarmTask> = running.collect();
    // A task that failed may have got a successor just before, which the swarm takes away again.
    let current = tasks.iter().filter(|task| task.is_current()).count() as u64;
    let is_over = |task: &&SwarmTask| task.phase.is_over() || task.is_wanted() || !nodes.is_up(task);
    let is_whole = running.len() as u64 >= wanted && current == wanted && tasks.iter().all(is_over);
    Back { running, is_whole }
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
    let wanted =
        old["Mode"]["Replicated"]["Replicas"].as_u64().unwrap_or(0).saturating_sub(moved.over.into());
    let mut looks = 0;
    loop {
        let (seen, nodes) = (manager.look().await?, manager.nodes().await?);
        let tasks: Vec<&SwarmTask> = seen.tasks_of(&moved.service.id).collect();
        let service = seen.services.iter().find(|service| service.id == moved.service.id);
        let state = service.and_then(|service| service.update.as_ref()).map(|update| update.state);
        let is_busy = matches!(state, Some(UpdateState::Updating | UpdateState::RollbackStarted));
        let Back { running, is_whole } = back(&tasks, revision, wanted, &nodes);
        let is_whole = is_whole && !is_busy;
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::swarm_task::tests::listed;

    /// How many of the earlier release run, and whether that is all, of tasks on `n1`, and on `n2` of which this is said.
    fn of(tasks: &[Value], n2: &str, wanted: u64) -> (usize, bool) {
        let node = |id: &str, state: &str| json!({"ID": id, "Status": {"State": state}});
        let nodes = Nodes::read(&json!([node("n1", "ready"), node("n2", n2)]));
        let tasks = SwarmTask::read_all(&json!(tasks));
        let back = back(&tasks.iter().collect::<Vec<_>>(), Some("old"), wanted, &nodes);
        (back.running.len(), back.is_whole)
    }

    fn on(node: &str, mut task: Value) -> Value {
        task["NodeID"] = json!(node);
        task
    }

    #[test]
    fn what_is_said_to_run_on_a_node_of_which_nothing_is_heard_is_not_back() {
        let both = [
            listed("web", 1, "running", "running", "old"),
            on("n2", listed("web", 2, "running", "running", "old")),
        ];
        assert_eq!(of(&both, "ready", 2), (2, true));
        for lost in ["down", "unknown"] {
            assert_eq!(of(&both, lost, 2), (1, false), "{lost}");
        }
    }

    #[test]
    fn nobody_waits_for_the_end_of_what_a_lost_node_runs_and_whatever_else_is_to_end_has_to() {
        let leaving = on("n2", listed("web", 1, "running", "shutdown", "new"));
        let tasks = [listed("web", 1, "running", "running", "old"), leaving];
        assert_eq!(of(&tasks, "ready", 1), (1, false));
        assert_eq!(of(&tasks, "down", 1), (1, true));
    }

    #[test]
    fn a_successor_of_the_later_release_keeps_it_from_being_whole() {
        let old = listed("web", 1, "running", "running", "old");
        let next = listed("web", 2, "pending", "running", "new");
        assert_eq!(of(&[old.clone(), next], "ready", 1), (1, false));
        assert_eq!(of(&[old.clone(), listed("web", 2, "failed", "shutdown", "new")], "ready", 1), (1, true));
        assert_eq!(of(&[old], "ready", 2), (1, false));
    }
}
