//! Puts services back to their state before a failed change, and reports what is different nevertheless.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use formation::ProcessType;
use ps_scheduler::{Cancel, Error};
use serde_json::Value;

use crate::follow::Follower;
use crate::instances::Nodes;
use crate::label;
use crate::limit::Limit;
use crate::manager::{AFTER_GRACE, LOOK, Manager, OF_THE_REPLACED, scaled};
use crate::service::{self, Service, UpdateState};
use crate::standing::Move;
use crate::swarm_task::{Phase, SwarmTask};

/// How many looks in a row must show what was before.
const SETTLED: u32 = 4;

/// Puts these changes back; the sentences say what is not as it was. It goes on also if the verb was cancelled.
pub(crate) async fn all(
    manager: &Manager<'_>,
    moves: &[Move],
    within: Duration,
    silent_since: &BTreeMap<ProcessType, Instant>,
) -> Result<Vec<String>, Error> {
    let never = Cancel::default();
    let manager = Manager { cancel: &never, ..manager.clone() };
    let mut made = Vec::new();
    for moved in moves {
        match &moved.old {
            Some(old) => drop(manager.bring(&moved.service.id, |_| old.clone()).await?),
            None => made.push(&moved.service),
        }
    }
    remove(&manager, &made).await?;
    let mut sentences = Vec::new();
    let batch = moves.iter().map(|moved| moved.batch).max().unwrap_or_default() + OF_THE_REPLACED;
    let waiting = Waiting { until: Instant::now() + within + OF_THE_REPLACED, batch, silent_since };
    for moved in moves {
        if let Some(old) = &moved.old {
            sentences.extend(whole(&manager, moved, old, &waiting).await?);
        }
    }
    Ok(sentences)
}

/// Ends the tasks of these services, and then removes the services. The order matters: once a service is removed, the
/// swarm does not report whether its containers have ended.
async fn remove(manager: &Manager<'_>, services: &[&Service]) -> Result<(), Error> {
    if services.is_empty() {
        return Ok(());
    }
    for service in services {
        manager.bring(&service.id, |service| scaled(service, 0, 0)).await?;
    }
    let ids: BTreeSet<String> = services.iter().map(|service| service.id.clone()).collect();
    let grace = services.iter().map(|service| service.grace()).max().unwrap_or_default();
    let waits = grace.saturating_add(AFTER_GRACE);
    let ended = async {
        Follower::default().ended(manager, &ids, waits, &mut |_| ()).await?;
        for id in &ids {
            manager.remove(id).await?;
        }
        Ok(())
    };
    Limit::of(format!("the end of what was made of {}", manager.app), manager.app, waits)
        .hold(&manager.contact, ended)
        .await
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

/// How long it is waited until what ran before runs again.
struct Waiting<'a> {
    /// All go back at the same time, so one limit is for all of them.
    until: Instant,
    /// How long it may take until one more runs.
    batch: Duration,
    silent_since: &'a BTreeMap<ProcessType, Instant>,
}

/// Waits until what ran before runs again.
async fn whole(
    manager: &Manager<'_>,
    moved: &Move,
    old: &Value,
    waiting: &Waiting<'_>,
) -> Result<Vec<String>, Error> {
    let revision = service::revision(&old["TaskTemplate"]);
    let wanted =
        old["Mode"]["Replicated"]["Replicas"].as_u64().unwrap_or(0).saturating_sub(moved.over.into());
    let (mut looks, mut most, mut since) = (0, 0, Instant::now());
    loop {
        let (seen, nodes) = (manager.look().await?, manager.nodes().await?);
        let tasks: Vec<&SwarmTask> = seen.tasks_of(&moved.service.id).collect();
        let service = seen.services.iter().find(|service| service.id == moved.service.id);
        let state = service.and_then(|service| service.update.as_ref()).map(|update| update.state);
        let is_busy = matches!(state, Some(UpdateState::Updating | UpdateState::RollbackStarted));
        let Back { running, is_whole } = back(&tasks, revision, wanted, &nodes);
        if running.len() > most {
            (most, since) = (running.len(), Instant::now());
        }
        let is_whole = is_whole && !is_busy;
        // It has been so for a while: the swarm may not have seen every end yet.
        looks = if is_whole { looks + 1 } else { 0 };
        let may_come = Instant::now() < waiting.until && since.elapsed() < waiting.batch;
        if looks < SETTLED && may_come {
            tokio::time::sleep(LOOK).await;
            continue;
        }
        let mut sentences = again(moved, &running, waiting.silent_since);
        if !is_whole {
            sentences.extend(lacking(moved, wanted, running.len()));
            sentences.extend(left(moved, revision, &tasks, &nodes));
        }
        return Ok(sentences);
    }
}

/// Which instances run the earlier release in other containers than before.
fn again(moved: &Move, running: &[&SwarmTask], silent_since: &BTreeMap<ProcessType, Instant>) -> Vec<String> {
    let process_type = &moved.service.process_type;
    let anew = running.iter().filter(|task| !moved.before.contains(&task.id));
    let told = anew.map(|task| {
        let silence = silent_since.get(process_type).map(Instant::elapsed);
        let outage =
            silence.map(|time| format!(": clients could not reach it for {:.1} s", time.as_secs_f64()));
        format!(
            "{process_type}.{} runs the earlier release again, in another container{}",
            task.slot,
            outage.unwrap_or_default()
        )
    });
    told.collect()
}

/// That not all instances run the earlier release again.
fn lacking(moved: &Move, wanted: u64, running: usize) -> Option<String> {
    let Service { app, process_type, .. } = &moved.service;
    (running as u64 != wanted).then(|| {
        format!("{running} of {wanted} instances of {process_type} of {app} run the earlier release")
    })
}

/// What of the release that failed has not ended, and where.
fn left(moved: &Move, revision: Option<&str>, tasks: &[&SwarmTask], nodes: &Nodes) -> Vec<String> {
    let is_left = |task: &&&SwarmTask| {
        task.revision.as_deref() != revision && !task.phase.is_over() && nodes.is_up(task)
    };
    let told = tasks.iter().filter(is_left).map(|task| {
        let (process_type, slot) = (&moved.service.process_type, task.slot);
        let state = task.state().as_str();
        if task.node.is_empty() {
            return format!(
                "{process_type}.{slot} of the release that failed is still {state}, and on no node"
            );
        }
        let node = nodes.name(task);
        let why = if task.is_given { ", which has said nothing of it: see its engine there" } else { "" };
        format!("{process_type}.{slot} of the release that failed is still {state} on {node}{why}")
    });
    told.collect()
}

/// Puts back the services that a deploy has changed whose caller died before it was committed: those that are of another deploy than the one
/// that was committed last.
pub(crate) async fn interrupted(
    manager: &Manager<'_>,
    committed: Option<&str>,
) -> Result<Vec<String>, Error> {
    let seen = manager.look().await?;
    // A service of which nobody knows its deploy has lost that label to somebody else.
    let is_left = |service: &&Service| service.deploy().is_some_and(|deploy| Some(deploy) != committed);
    let (mut sentences, mut made) = (Vec::new(), Vec::new());
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
            made.push(service);
            sentences.push(format!("{process_type} is removed: the deploy that made it was interrupted"));
        }
    }
    remove(manager, &made).await?;
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

    #[test]
    fn what_has_not_ended_of_the_release_that_failed_is_named_with_its_node_and_a_number_that_is_right_is_not_told()
     {
        let node = json!({"ID": "n1", "Description": {"Hostname": "node1"}, "Status": {"State": "ready"}});
        let nodes = Nodes::read(&json!([node]));
        let tasks = SwarmTask::read_all(&json!([
            listed("web", 1, "running", "running", "old"),
            listed("web", 1, "assigned", "shutdown", "new"),
            listed("web", 2, "failed", "shutdown", "new"),
        ]));
        let moved = crate::standing::tests::moved();
        let left = left(&moved, Some("old"), &tasks.iter().collect::<Vec<_>>(), &nodes);
        let [said] = left.as_slice() else { panic!("{left:?}") };
        assert!(
            said.starts_with(
                "web.1 of the release that failed is still stopping on node1, which has said nothing"
            ),
            "{said}"
        );
        assert_eq!(lacking(&moved, 1, 1), None);
        let said = lacking(&moved, 2, 1).expect("one is missing");
        assert_eq!(said, "1 of 2 instances of web of shop run the earlier release");
    }
}
