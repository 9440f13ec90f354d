//! The changes of an app's services that a plan requires: one for each type. Pure.

use std::collections::{BTreeMap, BTreeSet};

use formation::{ProcessType, Quantity, Slot};
use jiff::Timestamp;
use ps_scheduler::{Change, Plan};

use crate::instances::Nodes;
use crate::manager::Seen;
use crate::service::Service;
use crate::swarm_task::{Phase, SwarmTask};

/// What happens to the service of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServiceChange {
    /// The service is created, with this number of tasks.
    Make(u16),
    /// The tasks of the service are replaced; afterwards it has this number of them.
    Replace(u16),
    /// It gets more tasks of the release that it has, or those that it has to get are waited for.
    Fill(u16),
    /// It gets fewer.
    Shrink(u16),
    /// It has no task because a person stopped it. A start would give it this number.
    StayStopped(u16),
    /// It goes with its tasks.
    Remove,
}

impl ServiceChange {
    /// Whether it gives the service a specification made from the release.
    pub(crate) fn is_specified(self) -> bool {
        match self {
            Self::Make(_) | Self::Replace(_) => true,
            Self::Fill(_) | Self::Shrink(_) | Self::StayStopped(_) | Self::Remove => false,
        }
    }
}

/// How the slots of a type are meant.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    kept: u16,
    started: u16,
    replaced: u16,
    stopped: u16,
}

impl Count {
    fn filled(self) -> u16 {
        self.kept + self.started + self.replaced
    }
}

/// The changes of a plan; a type of which nothing is to be done has none. What is to be kept and is on a node of which nothing is heard has to be
/// waited for like what does not run yet, and so has what may have ended with its node.
pub(crate) fn of(
    plan: &Plan,
    seen: &Seen,
    nodes: &Nodes,
    now: Timestamp,
) -> BTreeMap<ProcessType, ServiceChange> {
    let mut counts = counts(plan);
    if plan.is_deploy {
        // Types without an instance are updated too. Otherwise scaling them up later would start the earlier release.
        for service in &seen.services {
            counts.entry(service.process_type.clone()).or_default();
        }
    }
    let change = |(process_type, count): (ProcessType, Count)| {
        let service = seen.service(&process_type);
        let tasks: Vec<&SwarmTask> =
            service.into_iter().flat_map(|service| seen.tasks_of(&service.id)).collect();
        let is_lost = |task: &&SwarmTask| {
            !nodes.is_up(task)
                || nodes.may_be_stale(task, now)
                || takes_the_place_of_lost(task, &tasks, nodes, now)
        };
        let has_lost = tasks.iter().copied().filter(|task| task.is_current()).any(|task| is_lost(&task));
        let is_again = service.is_some_and(|service| started_again(plan, seen, service).is_some());
        let change = of_type(plan, count, service, wanted(plan, &process_type)).map(|change| match change {
            // A swarm starts nothing again that has ended for good. A new specification makes it do so.
            ServiceChange::Fill(filled) if is_again => ServiceChange::Replace(filled),
            change => change,
        });
        let change = change.or_else(|| {
            let filled = count.filled();
            (has_lost && filled > 0).then_some(ServiceChange::Fill(filled))
        })?;
        Some((process_type, change))
    };
    counts.into_iter().filter_map(change).collect()
}

/// Whether a task that does not run yet comes in the place of one whose node has gone, or has just come back and said that it had ended. The plan
/// keeps such an instance like one that waits to be started again after a failure of its own.
fn takes_the_place_of_lost(task: &SwarmTask, tasks: &[&SwarmTask], nodes: &Nodes, now: Timestamp) -> bool {
    let before = tasks.iter().take_while(|other| other.id != task.id).filter(|other| other.slot == task.slot);
    task.phase != Phase::Running
        && before.last().is_some_and(|before| !nodes.is_up(before) || nodes.has_just_changed(before, now))
}

fn counts(plan: &Plan) -> BTreeMap<ProcessType, Count> {
    let mut counts: BTreeMap<ProcessType, Count> = BTreeMap::new();
    for step in &plan.steps {
        let count = counts.entry(step.slot.process_type.clone()).or_default();
        let of_change = match step.change {
            Change::Keep => &mut count.kept,
            Change::Start => &mut count.started,
            Change::Replace => &mut count.replaced,
            Change::Stop => &mut count.stopped,
        };
        *of_change += 1;
    }
    counts
}

/// The slots of a service that have a task which runs or is about to.
fn filled(seen: &Seen, service: &Service) -> BTreeSet<u16> {
    seen.tasks_of(&service.id).filter(|task| task.is_current()).map(|task| task.slot).collect()
}

/// How many instances of a service are to stay as they are although they are over.
pub(crate) fn over(plan: &Plan, seen: &Seen, service: &Service) -> u16 {
    let filled = filled(seen, service);
    let kept = plan.slots(Change::Keep).filter(|slot| slot.process_type == service.process_type);
    kept.filter(|slot| !filled.contains(&slot.index)).count().try_into().unwrap_or(u16::MAX)
}

/// An instance that a person wants to start, and that has ended for good: it has finished, or was given up.
fn started_again<'a>(plan: &'a Plan, seen: &Seen, service: &Service) -> Option<&'a Slot> {
    let filled = filled(seen, service);
    let is_final = |task: &SwarmTask| match task.phase {
        Phase::Complete => service.ends_for_good(),
        Phase::Failed | Phase::Rejected => service.gives_up(),
        _ => false,
    };
    let has_ended = |slot: &&Slot| {
        let mut tasks = seen.tasks_of(&service.id).filter(|task| task.slot == slot.index);
        !filled.contains(&slot.index) && tasks.any(is_final)
    };
    let mut started = plan.slots(Change::Start).filter(|slot| slot.process_type == service.process_type);
    started.find(has_ended).filter(|_| !plan.is_deploy && service.replicas > 0)
}

/// Why what a person wants to start cannot be; `None` if it can. Of a type of which a part has ended for good, a swarm starts that part only together
/// with the rest.
pub(crate) fn refusal_to_start(plan: &Plan, seen: &Seen) -> Option<String> {
    let app = &plan.release.app;
    seen.services.iter().find_map(|service| {
        let process_type = &service.process_type;
        // What is replaced as a whole starts together anyway.
        let is_whole = plan.slots(Change::Replace).any(|slot| slot.process_type == *process_type);
        let is_alone = !is_whole && !filled(seen, service).is_empty();
        let slot = started_again(plan, seen, service).filter(|_| is_alone)?;
        Some(format!(
            "{slot} has ended for good, and a swarm starts it again only together with the other instances of its type: ps-lifecycle restart \
             {app} {process_type}"
        ))
    })
}

fn wanted(plan: &Plan, process_type: &ProcessType) -> u16 {
    plan.wanted.get(process_type.as_str()).map_or(0, Quantity::get)
}

fn of_type(plan: &Plan, count: Count, service: Option<&Service>, wanted: u16) -> Option<ServiceChange> {
    let filled = count.filled();
    let Some(service) = service else {
        return (filled > 0).then_some(ServiceChange::Make(filled));
    };
    if filled == 0 && (plan.is_deploy || wanted == 0 && service.replicas == 0) {
        return Some(ServiceChange::Remove);
    }
    if plan.is_deploy || count.replaced > 0 {
        return Some(ServiceChange::Replace(filled));
    }
    let stopped = if service.replicas == 0 { service.stopped() } else { 0 };
    if count.started > 0 || filled > service.replicas {
        return Some(ServiceChange::Fill(filled));
    }
    if stopped > 0 {
        return (wanted < stopped).then_some(ServiceChange::StayStopped(wanted));
    }
    (filled < service.replicas).then_some(ServiceChange::Shrink(filled))
}

/// The types of which a plan changes the number of instances, and nothing else.
pub(crate) fn counts_alone(plan: &Plan) -> BTreeSet<ProcessType> {
    let is_it = |count: &Count| count.replaced == 0 && count.started + count.stopped > 0;
    let counts = if plan.is_deploy { BTreeMap::new() } else { counts(plan) };
    counts.into_iter().filter(|(_, count)| is_it(count)).map(|(process_type, _)| process_type).collect()
}

/// Why a plan is about single instances in a way in which a swarm cannot be told; `None` if it is not.
pub(crate) fn refusal(plan: &Plan) -> Option<String> {
    let app = &plan.release.app;
    counts(plan).into_iter().find_map(|(process_type, count)| {
        if count.replaced > 0 && count.kept > 0 {
            return Some(format!(
                "a swarm replaces all instances of a type together: restart {process_type} of {app} as a whole"
            ));
        }
        let is_part = count.started > 0 && count.filled() < wanted(plan, &process_type);
        is_part.then(|| {
            format!(
                "{process_type} of {app} was stopped as a whole, and a swarm starts it as a whole: ps-lifecycle start {app} {process_type}"
            )
        })
    })
}

#[cfg(test)]
mod tests {
    use formation::{State, Which};
    use ps_rollout::Strategy;
    use ps_scheduler::conformance::formation;
    use ps_scheduler::{Instance, Intent, Over};
    use serde_json::json;

    use super::*;
    use crate::label;
    use crate::service::tests::described;
    use crate::spec::tests::release;
    use crate::swarm_task::tests::listed;

    fn row(slot: &str, state: State, over: Option<Over>) -> Instance {
        Instance {
            over,
            is_interchangeable: true,
            ..Instance::new(slot.parse().expect("a legal slot"), state)
        }
    }

    fn plan(wanted: &[&str], there: &[Instance], intent: &Intent) -> Plan {
        Plan::new(release("web"), &formation(wanted), there, intent, Strategy::Overlap)
    }

    fn seen(services: &[(&str, u16, u16)]) -> Seen {
        let service = |(name, replicas, stopped): &(&str, u16, u16)| {
            let mut json = described(name, *replicas, "r");
            if *stopped > 0 {
                json["Spec"]["Labels"][label::STOPPED] = json!(stopped.to_string());
            }
            Service::read(&json).expect("one of ours")
        };
        Seen { services: services.iter().map(service).collect(), tasks: Vec::new() }
    }

    fn of_web(plan: &Plan, seen: &Seen) -> Option<ServiceChange> {
        of(plan, seen, &Nodes::default(), Timestamp::UNIX_EPOCH).get("web").copied()
    }

    const UP: State = State::Running;
    const CONVERGE: Intent = Intent::Converge(Which::All);

    #[test]
    fn a_deploy_makes_replaces_and_removes() {
        let plan = plan(&["web=2"], &[row("old.1", UP, None)], &Intent::Deploy);
        let there = seen(&[("old", 1, 0), ("idle", 0, 0)]);
        let changes = of(&plan, &there, &Nodes::default(), Timestamp::UNIX_EPOCH);
        let words: Vec<String> = changes.iter().map(|(name, change)| format!("{name} {change:?}")).collect();
        assert_eq!(words, ["idle Remove", "old Remove", "web Make(2)"]);
        assert_eq!(of_web(&plan, &seen(&[("web", 3, 0)])), Some(ServiceChange::Replace(2)));
    }

    #[test]
    fn scaling_touches_only_the_number() {
        let there = [row("web.1", UP, None), row("web.2", UP, None)];
        let two = seen(&[("web", 2, 0)]);
        let of = |wanted: &str| of_web(&plan(&[wanted], &there, &CONVERGE), &two);
        assert_eq!(
            [of("web=2"), of("web=3"), of("web=1"), of("web=0")],
            [
                None,
                Some(ServiceChange::Fill(3)),
                Some(ServiceChange::Shrink(1)),
                Some(ServiceChange::Shrink(0))
            ]
        );
    }

    #[test]
    fn what_is_wanted_and_does_not_run_yet_is_waited_for() {
        let there = [row("web.1", UP, None), row("web.2", State::Waiting, None)];
        let plan = plan(&["web=2"], &there, &CONVERGE);
        assert_eq!(of_web(&plan, &seen(&[("web", 2, 0)])), Some(ServiceChange::Fill(2)));
    }

    #[test]
    fn what_is_kept_on_a_node_of_which_nothing_is_heard_is_waited_for() {
        let there = [row("web.1", UP, None), row("web.2", UP, None)];
        let nodes = |state: &str| {
            let node = |id: &str, state: &str| json!({"ID": id, "Status": {"State": state}});
            Nodes::read(&json!([node("n1", "ready"), node("n2", state)]))
        };
        let mut two = seen(&[("web", 2, 0)]);
        let mut on_two = listed("web", 2, "running", "running", "r");
        on_two["NodeID"] = json!("n2");
        two.tasks = SwarmTask::read_all(&json!([listed("web", 1, "running", "running", "r"), on_two]));
        let plan = plan(&["web=2"], &there, &CONVERGE);
        let of = |state: &str| of(&plan, &two, &nodes(state), Timestamp::UNIX_EPOCH).get("web").copied();
        assert_eq!(
            [of("ready"), of("down"), of("unknown")],
            [None, Some(ServiceChange::Fill(2)), Some(ServiceChange::Fill(2))]
        );
    }

    #[test]
    fn what_is_kept_on_a_node_that_has_just_come_back_is_waited_for_until_its_state_is_reported() {
        let there = [row("web.1", UP, None)];
        let node = json!({"ID": "n1", "Status": {"State": "ready"}, "UpdatedAt": "2026-01-01T12:00:00Z"});
        let nodes = Nodes::read(&json!([node]));
        let plan = plan(&["web=1"], &there, &CONVERGE);
        let of = |reported: &str, now: &str| {
            let mut one = seen(&[("web", 1, 0)]);
            let mut task = listed("web", 1, "running", "running", "r");
            (task["NodeID"], task["UpdatedAt"]) = (json!("n1"), json!(reported));
            one.tasks = SwarmTask::read_all(&json!([task]));
            of(&plan, &one, &nodes, now.parse().expect("a time")).get("web").copied()
        };
        let fill = Some(ServiceChange::Fill(1));
        assert_eq!(of("2026-01-01T11:00:00Z", "2026-01-01T12:00:03Z"), fill, "reported before it went away");
        assert_eq!(of("2026-01-01T12:00:02Z", "2026-01-01T12:00:03Z"), None, "reported since it came back");
        assert_eq!(of("2026-01-01T11:00:00Z", "2026-01-01T12:01:00Z"), None, "it came back a minute ago");
    }

    #[test]
    fn what_is_to_be_started_again_because_its_node_has_come_back_without_it_is_waited_for() {
        let there = [row("web.1", State::Backoff, None)];
        let plan = plan(&["web=1"], &there, &CONVERGE);
        let of = |changed: &str, now: &str| {
            let node = |id: &str, at: &str| json!({"ID": id, "Status": {"State": "ready"}, "UpdatedAt": at});
            let nodes = Nodes::read(&json!([node("n1", "2026-01-01T11:00:00Z"), node("n2", changed),]));
            let mut ended = listed("web", 1, "failed", "shutdown", "r");
            (ended["NodeID"], ended["CreatedAt"]) = (json!("n2"), json!("2026-01-01T10:00:00Z"));
            let mut next = listed("web", 1, "ready", "ready", "r");
            (next["NodeID"], next["CreatedAt"]) = (json!("n1"), json!("2026-01-01T12:00:01Z"));
            let mut one = seen(&[("web", 1, 0)]);
            one.tasks = SwarmTask::read_all(&json!([ended, next]));
            of(&plan, &one, &nodes, now.parse().expect("a time")).get("web").copied()
        };
        let fill = Some(ServiceChange::Fill(1));
        assert_eq!(of("2026-01-01T12:00:00Z", "2026-01-01T12:00:02Z"), fill);
        assert_eq!(of("2026-01-01T11:00:00Z", "2026-01-01T12:00:02Z"), None, "it has failed by itself");
    }

    #[test]
    fn what_was_given_up_is_started_again_by_a_new_specification() {
        let given_up = [row("web.1", State::Crashed, Some(Over::GivenUp))];
        let of = |attempts: u64, intent: &Intent| {
            let plan = plan(&["web=1"], &given_up, intent);
            let mut json = described("web", 1, "r");
            json["Spec"]["TaskTemplate"]["RestartPolicy"] =
                json!({"Condition": "on-failure", "MaxAttempts": attempts});
            let services = vec![Service::read(&json).expect("one of ours")];
            let tasks = SwarmTask::read_all(&json!([listed("web", 1, "failed", "shutdown", "r")]));
            of_web(&plan, &Seen { services, tasks })
        };
        for intent in [Intent::Restart(Which::All), Intent::Start(Which::All)] {
            assert_eq!(of(10, &intent), Some(ServiceChange::Replace(1)), "{intent:?}");
            assert_eq!(of(0, &intent), Some(ServiceChange::Fill(1)), "the swarm goes on: {intent:?}");
        }
        assert_eq!(of(10, &CONVERGE), None);
    }

    #[test]
    fn a_type_that_was_stopped_is_started_whole_or_not_at_all() {
        let stopped = |slot| row(slot, State::Stopped, Some(Over::StoppedByHand));
        let (rows, there) = ([stopped("web.1"), stopped("web.2")], seen(&[("web", 0, 2)]));
        let of = |wanted: &str, intent: &Intent| {
            let plan = plan(&[wanted], &rows, intent);
            (of_web(&plan, &there), refusal(&plan).is_some())
        };
        assert_eq!(of("web=2", &CONVERGE), (None, false));
        assert_eq!(of("web=2", &Intent::Start(Which::All)), (Some(ServiceChange::Fill(2)), false));
        assert_eq!(of("web=1", &CONVERGE), (Some(ServiceChange::StayStopped(1)), false));
        assert!(of("web=3", &CONVERGE).1, "two of three would stay stopped");
        assert!(of("web=2", &Intent::Start("web.1".parse().expect("an instance"))).1);
    }

    #[test]
    fn what_has_ended_for_good_is_started_again_by_a_new_specification_or_not_at_all() {
        let done = |slot| row(slot, State::Stopped, Some(Over::Finished));
        let of = |rows: &[Instance], tasks: &[serde_json::Value], intent: &Intent| {
            let plan = plan(&["web=2"], rows, intent);
            let mut json = described("web", 2, "r");
            json["Spec"]["TaskTemplate"]["RestartPolicy"] = json!({"Condition": "on-failure"});
            let services = vec![Service::read(&json).expect("one of ours")];
            let seen = Seen { services, tasks: SwarmTask::read_all(&json!(tasks)) };
            (
                of_web(&plan, &seen),
                over(&plan, &seen, &seen.services[0]),
                refusal_to_start(&plan, &seen).is_some(),
            )
        };
        let (one, two) =
            (listed("web", 1, "complete", "shutdown", "r"), listed("web", 2, "complete", "shutdown", "r"));
        let (both, start) = ([done("web.1"), done("web.2")], Intent::Start(Which::All));
        assert_eq!(of(&both, &[one.clone(), two.clone()], &CONVERGE), (None, 2, false));
        assert_eq!(of(&both, &[one.clone(), two], &start), (Some(ServiceChange::Replace(2)), 0, false));
        let part = [done("web.1"), row("web.2", UP, None)];
        let mut runs = listed("web", 2, "running", "running", "r");
        runs["NodeID"] = json!("");
        assert_eq!(of(&part, &[one.clone(), runs.clone()], &CONVERGE), (None, 1, false));
        let both = [one, runs];
        assert!(of(&part, &both, &start).2, "the other one would be replaced, too");
        let restart = Intent::Restart(Which::All);
        assert_eq!(of(&part, &both, &restart), (Some(ServiceChange::Replace(2)), 0, false));
    }

    #[test]
    fn one_instance_of_several_is_not_replaced_alone() {
        let there = [row("web.1", UP, None), row("web.2", UP, None)];
        let of = |which: &str| {
            let restart = Intent::Restart(which.parse().expect("a type or an instance"));
            let plan = plan(&["web=2"], &there, &restart);
            (of_web(&plan, &seen(&[("web", 2, 0)])), refusal(&plan).is_some())
        };
        assert_eq!(of("web"), (Some(ServiceChange::Replace(2)), false));
        assert!(of("web.2").1);
    }
}
