//! The progress of one change of one service. Pure: it is computed from the observed tasks and the elapsed time.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use formation::Slot;
use ps_scheduler::FailedSlot;
use serde_json::Value;

use crate::manager::Seen;
use crate::service::{Service, UpdateState};
use crate::swarm_task::{NOT_TAKEN, Phase, SwarmTask, plain};

/// A change of a service that has been asked for.
#[derive(Debug)]
pub(crate) struct Move {
    /// The service after the change.
    pub(crate) service: Service,
    /// Its specification before; `None` if this verb has made it.
    pub(crate) old: Option<Value>,
    /// The tasks that it had before.
    pub(crate) before: BTreeSet<String>,
    /// Whether the swarm replaces tasks, and says when it is done with that.
    pub(crate) is_update: bool,
    /// How long a task must have run to have passed its gate. Nothing where its healthcheck asks for that, too.
    pub(crate) life: Duration,
    /// Whether an instance that has ended with success has done what it is there for.
    pub(crate) may_end: bool,
    /// How many instances are to stay over, because they have done what they are there for, or were given up.
    pub(crate) over: u16,
    /// Until when all of them must run.
    pub(crate) deadline: Instant,
    /// How long that is.
    pub(crate) within: Duration,
    /// How long it may take at most until one more of them runs.
    pub(crate) batch: Duration,
}

/// How far the swarm has come.
#[derive(Debug)]
pub(crate) enum Standing {
    UnderWay,
    Done,
    /// The reasons, one for each slot, and the task that says more, if there is one.
    Failed(Vec<(FailedSlot, Option<String>)>),
}

impl Move {
    fn slot(&self, index: u16) -> Slot {
        Slot::new(self.service.process_type.clone(), index)
    }

    /// Whether a task is one that this change has brought about.
    pub(crate) fn is_new(&self, task: &SwarmTask) -> bool {
        task.service == self.service.id && !self.before.contains(&task.id) && self.is_of_it(task)
    }

    fn is_of_it(&self, task: &SwarmTask) -> bool {
        task.revision.as_deref() == self.service.revision()
    }

    /// A task that the swarm's update waits for and that never comes: its node was lost before it could start it. Another one has its place, but an
    /// update waits for the task that it has made itself until its node is back, and replaces no further ones meanwhile.
    pub(crate) fn stuck_at<'a>(
        &self,
        seen: &'a Seen,
        is_lost: impl Fn(&SwarmTask) -> bool,
    ) -> Option<&'a SwarmTask> {
        let service = seen.services.iter().find(|service| service.id == self.service.id)?;
        let state = service.update.as_ref().filter(|_| self.is_update).map(|update| update.state);
        let never_comes = |task: &&SwarmTask| {
            let has_not_run = matches!(task.phase, Phase::Pending | Phase::Starting);
            self.is_new(task) && !task.is_wanted() && has_not_run && is_lost(task)
        };
        seen.tasks_of(&service.id).filter(|_| state == Some(UpdateState::Updating)).find(never_comes)
    }

    /// Whether the end of a task is the end of this change.
    fn has_failed(&self, task: &SwarmTask) -> bool {
        match task.phase {
            Phase::Failed | Phase::Rejected => true,
            Phase::Complete => !self.may_end && task.desired != crate::swarm_task::Desired::Complete,
            // A task that is being shut down was on a node that was drained or lost, or was ended from outside.
            Phase::Shutdown
            | Phase::Orphaned
            | Phase::Pending
            | Phase::Starting
            | Phase::Running
            | Phase::Unknown => false,
        }
    }

    /// How far the swarm has come. `lived` says how long a task has been seen to run; `None`: nothing is heard of its node, so that the swarm
    /// only repeats what was true before, and the task does not count.
    pub(crate) fn standing(
        &self,
        seen: &Seen,
        lived: impl Fn(&SwarmTask) -> Option<Duration>,
        now: Instant,
    ) -> Standing {
        let alone =
            |reason: String| Standing::Failed(vec![(FailedSlot { slot: self.slot(1), reason }, None)]);
        let Some(service) = seen.services.iter().find(|service| service.id == self.service.id) else {
            return alone("has no service any more: somebody has removed it".to_owned());
        };
        let tasks: Vec<&SwarmTask> = seen.tasks_of(&self.service.id).collect();
        let failed: Vec<&&SwarmTask> =
            tasks.iter().filter(|task| self.is_new(task) && self.has_failed(task)).collect();
        if !failed.is_empty() {
            return Standing::Failed(failed.into_iter().map(|task| self.failure(task)).collect());
        }
        let state = service.update.as_ref().filter(|_| self.is_update).map(|update| update.state);
        let is_back = service.revision() != self.service.revision();
        if is_back || state.is_some_and(is_given_up) {
            let said = plain(service.update.as_ref().map_or("", |update| update.message.as_str()));
            return alone(match state {
                Some(UpdateState::Paused | UpdateState::RollbackPaused) => format!(
                    "was given up half-way by the swarm, which has put nothing back and tries no more ({said})"
                ),
                _ => format!("was put back by the swarm ({said})"),
            });
        }
        let up = self.up(&tasks, &lived);
        let has_old = tasks.iter().any(|task| task.is_current() && !self.is_of_it(task));
        let is_busy = self.is_update && (has_old || state == Some(UpdateState::Updating));
        if up.len() + usize::from(self.over) >= usize::from(self.service.replicas) && !is_busy {
            return Standing::Done;
        }
        if now < self.deadline {
            Standing::UnderWay
        } else {
            Standing::Failed(self.late(&tasks, &up, &lived, self.within))
        }
    }

    /// What has failed, if none of its tasks has come up for so long that none is waited for any more.
    pub(crate) fn stalled(&self, seen: &Seen, lived: impl Fn(&SwarmTask) -> Option<Duration>) -> Standing {
        let tasks: Vec<&SwarmTask> = seen.tasks_of(&self.service.id).collect();
        let up = self.up(&tasks, &lived);
        Standing::Failed(self.late(&tasks, &up, &lived, self.batch))
    }

    /// The slots that are filled as they are to be.
    fn up(&self, tasks: &[&SwarmTask], lived: &impl Fn(&SwarmTask) -> Option<Duration>) -> BTreeSet<u16> {
        let is_up = |task: &&&SwarmTask| {
            let has_lived = lived(task).is_some_and(|lived| lived >= self.life);
            let runs = task.is_current() && task.phase == Phase::Running && has_lived;
            self.is_of_it(task) && (runs || self.may_end && task.phase == Phase::Complete)
        };
        tasks.iter().filter(is_up).map(|task| task.slot).collect()
    }

    fn failure(&self, task: &SwarmTask) -> (FailedSlot, Option<String>) {
        let reason = match task.phase {
            // What ends its process at SIGTERM with success looks the same to a swarm.
            Phase::Complete => {
                "ended with exit status 0 before it was ready: by itself, or because it did not pass its checks"
                    .to_owned()
            }
            _ => task.end_in_words().unwrap_or_else(|| "failed".to_owned()),
        };
        let has_run = task.container.is_some() && task.never_started().is_none();
        let task_id = has_run.then(|| task.id.clone());
        (FailedSlot { slot: self.slot(task.slot), reason }, task_id)
    }

    /// What is said of each slot that has not come up in time.
    fn late(
        &self,
        tasks: &[&SwarmTask],
        up: &BTreeSet<u16>,
        lived: &impl Fn(&SwarmTask) -> Option<Duration>,
        within: Duration,
    ) -> Vec<(FailedSlot, Option<String>)> {
        let seconds = within.as_secs();
        let waiting =
            tasks.iter().filter(|task| task.is_current() && self.is_of_it(task) && !up.contains(&task.slot));
        let mut late: Vec<(FailedSlot, Option<String>)> = waiting
            .map(|task| {
                let why = plain(&task.reason);
                let reason = match (task.phase, why.is_empty()) {
                    (Phase::Pending, false) => format!("found no place within {seconds} s: {why}"),
                    (Phase::Pending, true) => format!("found no place within {seconds} s"),
                    (Phase::Running, _) if lived(task).is_none() => {
                        format!(
                            "is on a node of which nothing is heard, and ran on no other within {seconds} s"
                        )
                    }
                    _ if task.is_given => format!("{NOT_TAKEN} within {seconds} s"),
                    _ => format!("did not become ready within {seconds} s"),
                };
                let task_id = task.container.as_ref().map(|_| task.id.clone());
                (FailedSlot { slot: self.slot(task.slot), reason }, task_id)
            })
            .collect();
        if late.is_empty() {
            let reason = format!("was not replaced by the swarm within {seconds} s");
            late.push((FailedSlot { slot: self.slot(1), reason }, None));
        }
        late
    }
}

fn is_given_up(state: UpdateState) -> bool {
    match state {
        UpdateState::Updating | UpdateState::Completed => false,
        UpdateState::Paused
        | UpdateState::RollbackStarted
        | UpdateState::RollbackCompleted
        | UpdateState::RollbackPaused => true,
    }
}

#[cfg(test)]
pub(crate) mod tests;
