//! Follows changes of services to their end, and reports what each instance does meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use formation::{Slot, State};
use jiff::Timestamp;
use ps_scheduler::{Error, FailedSlot, Progress};
use serde_json::json;

use crate::instances::REPORT;
use crate::manager::{LOOK, Manager, Seen};
use crate::service::Service;
use crate::standing::{Move, Standing};
use crate::swarm_task::{Phase, SwarmTask, plain};
use crate::taken_port::{self, Owners};
use crate::{label, reasons};

/// How long a port has to be that of another service until nobody waits for it any more.
const HOPELESS: Duration = Duration::from_secs(5);
/// A node that has the image needs less time to make a container.
const WITH_IMAGE: Duration = Duration::from_secs(5);

/// Whoever hears what happens.
pub(crate) type Tell<'a> = dyn FnMut(Progress) + 'a;

/// What has been seen and told of tasks.
#[derive(Default)]
pub(crate) struct Follower {
    phases: BTreeMap<String, (Phase, bool)>,
    running_since: BTreeMap<String, Instant>,
    waiting: BTreeSet<String>,
    /// Since when tasks have been prepared of which that was not told.
    preparing_since: BTreeMap<String, Option<Instant>>,
    /// Since when the end of a change was not believed, because the state of a task may be from before its node went away.
    doubts_since: Option<Instant>,
    /// Tasks for which an update has been begun anew.
    nudged: BTreeSet<String>,
    /// Whose the ports are that tasks of a service wait for, by the service; `None`: it has none that could be named.
    port_owners: BTreeMap<String, Option<Owners>>,
    /// Since when tasks of a service wait for ports of other services alone.
    hopeless_since: BTreeMap<String, Instant>,
    /// The tasks of a service that have come up, and when the last one did.
    came_up: BTreeMap<String, (BTreeSet<String>, Instant)>,
}

/// The result of some changes.
#[derive(Default)]
pub(crate) struct Followed {
    /// The instances that failed, those of the first change that did first.
    pub(crate) failed: Vec<FailedSlot>,
}

impl Follower {
    /// Notes what existed before, so that only later events are reported.
    pub(crate) fn know(&mut self, seen: &Seen) {
        for task in &seen.tasks {
            self.phases.insert(task.id.clone(), (task.phase, task.is_wanted()));
        }
    }

    /// Follows these changes until all of them are done, or one has failed; `each_alone`: until each is done or has failed.
    pub(crate) async fn follow(
        &mut self,
        manager: &Manager<'_>,
        moves: &[Move],
        each_alone: bool,
        tell: &mut Tell<'_>,
    ) -> Result<Followed, Error> {
        let mut followed = Followed::default();
        let mut open: Vec<&Move> = moves.iter().collect();
        while !open.is_empty() {
            manager.cancel.check()?;
            let seen = manager.look().await?;
            for one in moves {
                self.ask_whose_ports(manager, &seen, one).await?;
                self.told(&seen, one, tell);
                self.nudge(manager, &seen, one).await?;
            }
            let now = Instant::now();
            let mut still = Vec::new();
            for one in open {
                match self.standing(manager, &seen, one, now).await? {
                    Standing::Done => {}
                    Standing::UnderWay => still.push(one),
                    Standing::Failed(reasons) => {
                        let mut all = reasons::with_nodes(manager, &seen, one, reasons).await?;
                        for (failed, _) in &mut all {
                            failed.reason = self.with_owners(&one.service.id, &failed.reason);
                        }
                        followed.failed.extend(reasons::with_words_of_tasks(manager.engine, all).await);
                        if !each_alone {
                            return Ok(followed);
                        }
                    }
                }
            }
            open = still;
            if !open.is_empty() {
                tokio::time::sleep(LOOK).await;
            }
        }
        Ok(followed)
    }

    /// How far a change has come. What would be the end of it is one only if the nodes of its tasks are heard of: for some seconds after the loss
    /// of a node, and longer while managers choose a leader, a swarm says that what ran there runs. It says so again when the node has come back,
    /// until that has reported what became of its tasks.
    async fn standing(
        &mut self,
        manager: &Manager<'_>,
        seen: &Seen,
        one: &Move,
        now: Instant,
    ) -> Result<Standing, Error> {
        match one.standing(seen, |task| Some(self.lived(task, now)), now) {
            Standing::Done => {
                let nodes = manager.nodes().await?;
                let today = Timestamp::now();
                let is_stale = |task: &SwarmTask| nodes.may_be_stale(task, today);
                let has_stale =
                    seen.tasks_of(&one.service.id).any(|task| task.is_current() && is_stale(task));
                // If the clock of the leader is ahead of ours, a state looks stale for too long.
                let doubts = has_stale
                    && now.duration_since(*self.doubts_since.get_or_insert(now)) < REPORT.unsigned_abs();
                let is_believed = |task: &SwarmTask| nodes.is_up(task) && !(doubts && is_stale(task));
                Ok(one.standing(seen, |task| is_believed(task).then(|| self.lived(task, now)), now))
            }
            Standing::UnderWay => match self.hopeless(seen, one, now) {
                none if none.is_empty() && self.stalls(seen, one, now) => {
                    Ok(one.stalled(seen, |task| Some(self.lived(task, now))))
                }
                none if none.is_empty() => Ok(Standing::UnderWay),
                hopeless => Ok(Standing::Failed(hopeless)),
            },
            failed @ Standing::Failed(_) => Ok(failed),
        }
    }

    /// Whether no further task of a change has come up for longer than one batch may take.
    fn stalls(&mut self, seen: &Seen, one: &Move, now: Instant) -> bool {
        let (up, since) =
            self.came_up.entry(one.service.id.clone()).or_insert_with(|| (BTreeSet::new(), now));
        let running = seen
            .tasks_of(&one.service.id)
            .filter(|task| one.is_new(task) && matches!(task.phase, Phase::Running | Phase::Complete));
        for task in running {
            if up.insert(task.id.clone()) {
                *since = now;
            }
        }
        now.duration_since(*since) >= one.batch
    }

    /// Has the swarm begin an update anew that waits for a task of a node that was lost. What has been replaced is not replaced again. A label
    /// is enough: the same specification once more would be taken for the update that is under way.
    async fn nudge(&mut self, manager: &Manager<'_>, seen: &Seen, one: &Move) -> Result<(), Error> {
        if one.stuck_at(seen, |_| true).is_none() {
            return Ok(());
        }
        let nodes = manager.nodes().await?;
        let Some(task) = one.stuck_at(seen, |task| !nodes.is_up(task)) else { return Ok(()) };
        if self.nudged.insert(task.id.clone()) {
            let nudged = |service: &Service| {
                let mut spec = service.spec.clone();
                spec["Labels"][label::NUDGED] = json!(task.id);
                spec
            };
            manager.bring(&one.service.id, nudged).await?;
        }
        Ok(())
    }

    /// Asks once whose the ports are that tasks of a service wait for.
    async fn ask_whose_ports(&mut self, manager: &Manager<'_>, seen: &Seen, one: &Move) -> Result<(), Error> {
        let id = &one.service.id;
        let waits = |task: &SwarmTask| task.phase == Phase::Pending && taken_port::is_reason(&task.reason);
        if !self.port_owners.contains_key(id) && seen.tasks_of(id).any(waits) {
            let what = "list the services of the swarm";
            let all = manager.patiently(what, || manager.engine.swarm_services(&[], false)).await?;
            self.port_owners.insert(id.clone(), taken_port::owners(&one.service, &all));
        }
        Ok(())
    }

    /// The slots of a change that wait for ports which other services keep, once that has been so for a while: an instance that ends just now
    /// frees its port, and the swarm says the old reason for a moment more.
    fn hopeless(&mut self, seen: &Seen, one: &Move, now: Instant) -> Vec<(FailedSlot, Option<String>)> {
        let id = &one.service.id;
        let are_others = matches!(self.port_owners.get(id), Some(Some(owners)) if owners.are_others);
        let is_leaving = |task: &SwarmTask| !task.is_wanted() && !task.phase.is_over();
        let waits = |task: &&SwarmTask| {
            one.is_new(task)
                && task.is_current()
                && task.phase == Phase::Pending
                && taken_port::is_only_reason(&task.reason)
        };
        let waiting: Vec<&SwarmTask> = seen.tasks_of(id).filter(waits).collect();
        if !are_others || waiting.is_empty() || seen.tasks_of(id).any(is_leaving) {
            self.hopeless_since.remove(id);
            return Vec::new();
        }
        if now.duration_since(*self.hopeless_since.entry(id.clone()).or_insert(now)) < HOPELESS {
            return Vec::new();
        }
        let failed = |task: &SwarmTask| {
            let slot = Slot::new(one.service.process_type.clone(), task.slot);
            (FailedSlot { slot, reason: format!("finds no place: {}", plain(&task.reason)) }, None)
        };
        waiting.into_iter().map(failed).collect()
    }

    /// A reason of the swarm, and if it is about a port that is taken, whose that is.
    fn with_owners(&self, service: &str, reason: &str) -> String {
        match self.port_owners.get(service) {
            Some(Some(owners)) if taken_port::is_reason(reason) => format!("{reason}; {}", owners.said),
            _ => reason.to_owned(),
        }
    }

    /// Waits until nothing of these services runs that is to end, and says what is left when the time is over.
    pub(crate) async fn ended(
        &mut self,
        manager: &Manager<'_>,
        services: &BTreeSet<String>,
        within: Duration,
        tell: &mut Tell<'_>,
    ) -> Result<Vec<(Slot, String)>, Error> {
        let until = Instant::now() + within;
        let nodes = manager.nodes().await?;
        loop {
            let seen = manager.look().await?;
            let mut left = Vec::new();
            for service in seen.services.iter().filter(|service| services.contains(&service.id)) {
                // A moment passes until the swarm has chosen those that are to end.
                let current = seen.tasks_of(&service.id).filter(|task| task.is_current()).count();
                let are_too_many = current > usize::from(service.replicas);
                for task in seen.tasks_of(&service.id) {
                    let slot = Slot::new(service.process_type.clone(), task.slot);
                    self.told_of(task, &slot, false, tell);
                    // Tasks on a lost node are not waited for: they cannot be ended, and their state is not known.
                    let is_leaving = !task.phase.is_over() && !task.is_wanted() && nodes.is_up(task);
                    if is_leaving || are_too_many && task.is_current() {
                        left.push((
                            slot,
                            format!("it is still {} on {}", task.state().as_str(), nodes.name(task)),
                        ));
                    }
                }
            }
            if left.is_empty() || Instant::now() >= until {
                return Ok(left);
            }
            manager.cancel.check()?;
            tokio::time::sleep(LOOK).await;
        }
    }

    /// How long a task has been seen to run.
    fn lived(&self, task: &SwarmTask, now: Instant) -> Duration {
        self.running_since.get(&task.id).map_or(Duration::ZERO, |since| now.duration_since(*since))
    }

    fn told(&mut self, seen: &Seen, one: &Move, tell: &mut Tell<'_>) {
        for task in seen.tasks_of(&one.service.id) {
            let slot = Slot::new(one.service.process_type.clone(), task.slot);
            self.told_of(task, &slot, one.is_new(task), tell);
            self.told_of_image(task, &slot, Instant::now(), tell);
        }
    }

    /// Tells once that a node takes its time before it starts a task: it pulls the image, of which a swarm says nothing.
    fn told_of_image(&mut self, task: &SwarmTask, slot: &Slot, now: Instant, tell: &mut Tell<'_>) {
        if !task.is_preparing || !task.is_wanted() {
            return;
        }
        let since = self.preparing_since.entry(task.id.clone()).or_insert(Some(now));
        if since.is_some_and(|since| now.duration_since(since) >= WITH_IMAGE) {
            *since = None;
            tell(Progress::Note(format!("{slot} waits for its image, which its node pulls")));
        }
    }

    /// Tells what a task does, if that is news.
    fn told_of(&mut self, task: &SwarmTask, slot: &Slot, is_new: bool, tell: &mut Tell<'_>) {
        let now = (task.phase, task.is_wanted());
        let before = self.phases.insert(task.id.clone(), now);
        let is_first = before.is_none();
        if task.phase == Phase::Running && task.is_wanted() {
            self.running_since.entry(task.id.clone()).or_insert_with(Instant::now);
        }
        if task.phase == Phase::Pending && !task.reason.is_empty() && self.waiting.insert(task.id.clone()) {
            let why = self.with_owners(&task.service, plain(&task.reason));
            tell(Progress::Note(format!("{slot} waits for a place: {why}")));
        }
        // A task that ended before it got a node never ran, so its end is not reported.
        if before == Some(now) || task.node.is_empty() && task.phase.is_over() {
            return;
        }
        if is_new
            && (is_first || before.is_some_and(|(phase, _)| phase == Phase::Pending))
            && task.phase != Phase::Pending
        {
            tell(Progress::Started(slot.clone()));
        }
        let note = (!task.reason.is_empty()).then(|| plain(&task.reason).to_owned());
        if is_new {
            let state = if task.phase.is_over() { State::Crashed } else { task.state() };
            tell(Progress::Now { slot: slot.clone(), run: None, state, note });
            if task.phase == Phase::Running && task.is_wanted() {
                tell(Progress::Ready(slot.clone()));
            }
        } else if task.phase.is_over() && before.is_some_and(|(phase, _)| !phase.is_over()) {
            tell(Progress::Ended(slot.clone(), task.exit));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::service::tests::described;
    use crate::swarm_task::tests::listed;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_node_that_takes_its_time_to_get_an_image_is_told_of_once() {
        let slot: Slot = "web.1".parse().expect("a legal slot");
        let (mut follower, mut told, begin) = (Follower::default(), Vec::new(), Instant::now());
        for (state, desired, seconds) in [
            ("preparing", "running", 0),
            ("preparing", "running", 4),
            ("starting", "running", 5),
            ("preparing", "shutdown", 6),
            ("preparing", "running", 6),
            ("preparing", "running", 60),
        ] {
            let mut json = listed("web", 1, state, desired, "r");
            json["ID"] = json!("t");
            let task = SwarmTask::read_all(&json!([json])).remove(0);
            let now = begin + Duration::from_secs(seconds);
            follower.told_of_image(&task, &slot, now, &mut |progress| told.push((seconds, progress)));
        }
        let [(6, Progress::Note(note))] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!(note, "web.1 waits for its image, which its node pulls");
    }
    #[test]
    fn a_rollout_of_which_nothing_more_comes_up_stalls_and_each_that_does_begins_the_time_anew() {
        let one = Move { batch: 20 * SECOND, ..crate::standing::tests::moved() };
        let (mut follower, begin) = (Follower::default(), Instant::now());
        let mut stalls = |tasks: &[(&str, u16)], seconds: u32| {
            let tasks = tasks.iter().map(|(state, slot)| listed("web", *slot, state, "running", "new"));
            let tasks = SwarmTask::read_all(&tasks.collect());
            let seen = Seen { services: Vec::new(), tasks };
            follower.stalls(&seen, &one, begin + seconds * SECOND)
        };
        assert!(!stalls(&[("starting", 1)], 0));
        assert!(!stalls(&[("starting", 1)], 19));
        assert!(!stalls(&[("running", 1), ("starting", 2)], 19));
        assert!(!stalls(&[("running", 1), ("starting", 2)], 38));
        assert!(stalls(&[("running", 1), ("starting", 2)], 39));
    }

    #[test]
    fn a_port_that_another_service_keeps_is_waited_for_no_longer_than_an_instance_may_take_to_end() {
        let service = Service::read(&described("web", 1, "new")).expect("one of ours");
        let (id, begin) = (service.id.clone(), Instant::now());
        let one = Move {
            service,
            old: None,
            before: BTreeSet::new(),
            is_update: false,
            life: Duration::ZERO,
            may_end: false,
            over: 0,
            deadline: begin + 600 * SECOND,
            within: 600 * SECOND,
            batch: 600 * SECOND,
        };
        let mut waiting = listed("web", 1, "pending", "running", "new");
        waiting["Status"]["Err"] = json!("no suitable node (host-mode port already in use on 3 nodes)");
        let seen = |tasks: &[Value]| Seen { services: Vec::new(), tasks: SwarmTask::read_all(&json!(tasks)) };
        let leaving = [waiting.clone(), listed("web", 2, "running", "shutdown", "old")];
        let of = |are_others: bool, rounds: &[(&[Value], u32)]| {
            let mut follower = Follower::default();
            let owners = Owners { said: "port 80 is that of the service hog".to_owned(), are_others };
            follower.port_owners.insert(id.clone(), Some(owners));
            let failed = rounds
                .iter()
                .map(|(tasks, at)| follower.hopeless(&seen(tasks), &one, begin + *at * SECOND).len());
            failed.collect::<Vec<usize>>()
        };
        let alone = std::slice::from_ref(&waiting);
        assert_eq!(of(true, &[(alone, 0), (alone, 4), (alone, 5)]), [0, 0, 1]);
        assert_eq!(
            of(true, &[(alone, 0), (&leaving, 4), (alone, 5), (alone, 9)]),
            [0, 0, 0, 0],
            "one ended just then"
        );
        assert_eq!(of(false, &[(alone, 0), (alone, 60)]), [0, 0], "it is its own, of the release before");
    }
}
