//! The update settings of a service, from the rules of a plan, and the time limit for an update. The swarm itself has
//! no limit: it would wait for ever for a task that never runs.

use std::time::Duration;

use ps_rollout::{Rules, Strategy};
use serde_json::{Value, json};

use crate::health::{Health, nanos};

/// How long a task is watched after it has passed its healthcheck, if that cannot fail any more.
const LEAST: Duration = Duration::from_secs(2);
/// The pause between two batches whose old tasks end first. Without it a swarm goes on to the next slot at the moment at which a task fails, and
/// whether it sees the failure before is chance. It must be shorter than the time for which a task is watched.
const NOTICED_WITHIN: Duration = Duration::from_secs(1);
/// What a swarm takes beside what it waits for: to find a node, to start and to end a container.
const OF_A_BATCH: Duration = Duration::from_secs(15);

/// How the tasks of a service are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UpdateRules {
    /// Whether the new one is there before the old one ends.
    is_start_first: bool,
    /// How many at a time; 0 is all of them.
    parallelism: u16,
    /// How long a task that runs is watched: if it fails within this time, the update has failed.
    monitor: Duration,
    /// How long one task may take until it runs.
    ready_within: Duration,
}

impl UpdateRules {
    /// The rules of a type that has this healthcheck. `is_one_a_node`: two of its instances cannot be on one node. One by one the old
    /// one then ends first; who asks for an overlap has more nodes than instances.
    pub(crate) fn of(rules: &Rules, health: Option<&Health>, is_one_a_node: bool) -> Self {
        let is_start_first = match rules.strategy {
            Strategy::Overlap => true,
            Strategy::OneByOne => !is_one_a_node,
            Strategy::StopFirst => false,
        };
        let watched = match health {
            // Long enough for a healthcheck that fails by now to say so.
            Some(health) if health.goes_on => {
                health.interval.saturating_mul(health.retries).saturating_add(health.interval)
            }
            Some(_) => LEAST,
            None => rules.minimum_life.max(LEAST),
        };
        Self {
            is_start_first,
            parallelism: rules.max_parallel.get(),
            monitor: watched,
            ready_within: rules.deadline.saturating_add(rules.minimum_life),
        }
    }

    /// `UpdateConfig`: what fails once is put back.
    pub(crate) fn update(&self) -> Value {
        json!({
            "Parallelism": self.parallelism, "Delay": nanos(self.pause()), "FailureAction": "rollback",
            "Monitor": nanos(self.monitor), "MaxFailureRatio": 0, "Order": self.order(),
        })
    }

    /// `RollbackConfig`: all at once, whatever becomes of it, because nothing better is left.
    pub(crate) fn rollback(&self) -> Value {
        json!({
            "Parallelism": 0, "Delay": 0, "FailureAction": "continue",
            "Monitor": nanos(Duration::from_secs(1)), "MaxFailureRatio": 0, "Order": self.order(),
        })
    }

    fn pause(&self) -> Duration {
        if self.is_start_first { Duration::ZERO } else { NOTICED_WITHIN }
    }

    fn order(&self) -> &'static str {
        if self.is_start_first { "start-first" } else { "stop-first" }
    }

    /// How long this number of tasks may take, if each may take `grace` to end.
    pub(crate) fn deadline(&self, tasks: u16, grace: Duration) -> Duration {
        let batches =
            tasks.div_ceil(if self.parallelism == 0 { tasks.max(1) } else { self.parallelism }).max(1);
        self.of_each(grace).saturating_mul(batches.into()).saturating_add(self.monitor)
    }

    /// How long it may take at most until one more task runs, as long as not all of them do.
    pub(crate) fn batch(&self, grace: Duration) -> Duration {
        self.of_each(grace).saturating_add(self.monitor)
    }

    fn of_each(&self, grace: Duration) -> Duration {
        self.ready_within.saturating_add(grace).saturating_add(OF_A_BATCH)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use super::*;
    use crate::spec::tests::{release, rules};

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn overlap_starts_first_in_both_directions() {
        let overlap = UpdateRules::of(&rules(), None, false);
        for config in [overlap.update(), overlap.rollback()] {
            assert_eq!(config["Order"], "start-first");
        }
        assert_eq!(overlap.update()["FailureAction"], "rollback");
        let stop_first = Rules { strategy: Strategy::StopFirst, ..rules() };
        assert_eq!(UpdateRules::of(&stop_first, None, false).rollback()["Order"], "stop-first");
    }

    #[test]
    fn of_two_that_cannot_be_on_one_node_the_old_one_ends_first_unless_they_are_to_overlap() {
        let order = |strategy, is_one_a_node| {
            let rules = UpdateRules::of(&Rules { strategy, ..rules() }, None, is_one_a_node);
            assert_eq!(rules.update()["Order"], rules.rollback()["Order"]);
            // What fails is seen before the next one ends, and within the time for which it is watched.
            let (pause, monitor) = (rules.update()["Delay"].as_u64(), rules.update()["Monitor"].as_u64());
            assert_eq!(pause > Some(0), rules.update()["Order"] == "stop-first");
            assert!(pause < monitor, "{pause:?}, {monitor:?}");
            rules.update()["Order"].clone()
        };
        assert_eq!(order(Strategy::OneByOne, true), "stop-first");
        assert_eq!(order(Strategy::OneByOne, false), "start-first");
        assert_eq!(order(Strategy::Overlap, true), "start-first");
    }

    #[test]
    fn a_release_is_watched_for_as_long_as_it_could_still_turn_out_to_be_bad() {
        // Without a healthcheck only time shows it.
        let without = UpdateRules::of(&rules(), None, false);
        assert_eq!(without.update()["Monitor"], json!(nanos(10 * SECOND)));
        let health = crate::health::of(&release("web"), &"web".parse().expect("a type"), &rules());
        let once = UpdateRules::of(&rules(), health.as_ref(), false);
        assert_eq!(once.update()["Monitor"], json!(nanos(LEAST)));
        let health =
            health.map(|health| Health { goes_on: true, interval: 5 * SECOND, retries: 3, ..health });
        let goes_on = UpdateRules::of(&rules(), health.as_ref(), false);
        assert_eq!(goes_on.update()["Monitor"], json!(nanos(20 * SECOND)));
    }

    #[test]
    fn each_batch_has_its_time() {
        let rules = Rules { max_parallel: NonZeroU16::MIN, deadline: 30 * SECOND, ..rules() };
        let one_at_a_time = UpdateRules::of(&rules, None, false);
        let of = |tasks| one_at_a_time.deadline(tasks, 5 * SECOND);
        assert_eq!((of(1), of(3)), (70 * SECOND, 190 * SECOND));
        assert_eq!(of(0), of(1));
        assert_eq!(one_at_a_time.batch(5 * SECOND), of(1), "one that hangs is not waited for as long as all");
    }
}
