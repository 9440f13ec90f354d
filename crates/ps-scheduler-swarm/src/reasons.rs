//! Why instances have failed, in more words than the swarm has: with their nodes, and with what they wrote.

use std::time::Duration;

use formation::with_last_words;
use futures_util::StreamExt;
use futures_util::future::join_all;
use ps_engine::{Engine, OutputRange};
use ps_scheduler::{Error, FailedSlot, LAST_LINES};

use crate::manager::{Manager, Seen};
use crate::standing::Move;
use crate::swarm_task::{NEVER_STARTED, NOT_TAKEN, REJECTED, SwarmTask};
use crate::{images, taken_port};

/// How long the last lines of a task are waited for: its node may be gone.
const OF_LOG: Duration = Duration::from_secs(3);
/// The most of them that is kept, in bytes.
const MOST: usize = 64 << 10;
/// Of how many failures the last lines are read.
const WITH_WORDS: usize = 10;

/// The same failures; those of instances whose node could not get the image, or could not start the container, with its name and why.
pub(crate) async fn with_nodes(
    manager: &Manager<'_>,
    seen: &Seen,
    one: &Move,
    mut reasons: Vec<(FailedSlot, Option<String>)>,
) -> Result<Vec<(FailedSlot, Option<String>)>, Error> {
    let is_of_node = |failed: &FailedSlot| {
        [NEVER_STARTED, REJECTED, NOT_TAKEN].iter().any(|how| failed.reason.starts_with(how))
    };
    if !reasons.iter().any(|(failed, _)| is_of_node(failed)) {
        return Ok(reasons);
    }
    let nodes = manager.nodes().await?;
    // A registry that is away keeps everybody waiting who asks it, so it is asked once for all slots.
    let mut why_missing = None;
    let image = one.service.spec["TaskTemplate"]["ContainerSpec"]["Image"].as_str().unwrap_or_default();
    for (failed, _) in reasons.iter_mut().filter(|(failed, _)| is_of_node(failed)) {
        let is_it = |task: &&SwarmTask| {
            one.is_new(task)
                && task.slot == failed.slot.index
                && (task.phase.is_over() || task.is_given)
                && !task.node.is_empty()
        };
        let node = seen.tasks_of(&one.service.id).find(is_it).map(|task| nodes.name(task));
        let node = node.as_deref().unwrap_or("its node");
        failed.reason = if let Some(why) = failed.reason.strip_prefix(NEVER_STARTED) {
            format!("{NEVER_STARTED} on {node}{why}{}", taken_port::advice(&one.service, why))
        } else if let Some(when) = failed.reason.strip_prefix(NOT_TAKEN) {
            format!(
                "was given to {node}, which has said nothing of it{when}: see there with docker ps -a; its engine may hang, or still report to a leader that is cut off"
            )
        } else if !images::is_missing(&failed.reason) {
            let said = failed.reason.replacen(REJECTED, &format!("{REJECTED} by {node}"), 1);
            format!("{said}{}", of_disk(&said, node))
        } else {
            let why = match &why_missing {
                Some(why) => why,
                None => why_missing.insert(images::why_missing(manager, image).await),
            };
            format!("{} ({node} could not get it: {why})", failed.reason)
        };
    }
    Ok(reasons)
}

/// What to do if a node has refused an instance because its disk is full; empty if that is not why.
fn of_disk(why: &str, node: &str) -> String {
    if !why.contains("no space left on device") {
        return String::new();
    }
    format!(": free some there, or have the others run it: docker node update --availability drain {node}")
}

/// The failures, the first of them with the last lines that their tasks wrote. These are read at the same time, because a node that is gone
/// keeps each reader waiting.
pub(crate) async fn with_words_of_tasks(
    engine: &Engine,
    failed: Vec<(FailedSlot, Option<String>)>,
) -> Vec<FailedSlot> {
    let each = failed.into_iter().enumerate();
    let each =
        each.map(|(n, (failed, task))| with_words_of_task(engine, failed, task.filter(|_| n < WITH_WORDS)));
    join_all(each).await
}

/// The failure with the last lines that the task wrote.
async fn with_words_of_task(engine: &Engine, failed: FailedSlot, task: Option<String>) -> FailedSlot {
    let Some(task) = task else { return failed };
    let lines = last_lines(engine, &task).await;
    let reason = if lines.is_empty() {
        format!("{}; it wrote nothing", failed.reason)
    } else {
        with_last_words(&failed.reason, &lines)
    };
    FailedSlot { reason, ..failed }
}

/// The last lines of a task, as many as its node hands out in a moment.
async fn last_lines(engine: &Engine, task: &str) -> Vec<String> {
    let mut text = Vec::new();
    let read = async {
        let mut pieces = Box::pin(engine.task_logs(task, &OutputRange::last(Some(LAST_LINES)), false, None));
        while let Some(Ok((_, piece))) = pieces.next().await
            && text.len() < MOST
        {
            text.extend_from_slice(piece.as_ref());
        }
    };
    // After the deadline the lines that have come so far are shown.
    let _ = tokio::time::timeout(OF_LOG, read).await;
    let lines: Vec<String> = String::from_utf8_lossy(&text).lines().map(str::to_owned).collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_full_disk_it_is_said_what_to_do_and_of_nothing_else() {
        let told = of_disk("was rejected by node3: write /x: no space left on device", "node3");
        assert!(told.ends_with("docker node update --availability drain node3"), "{told}");
        assert_eq!(of_disk("was rejected by node3: invalid mount config", "node3"), "");
    }
}
