//! Turns a plan into a rollout: the change of each slot, together with the run that is there.

use std::collections::BTreeMap;

use formation::Slot;
use ps_rollout::{Present, TypePlan};

use crate::{Change, Plan, Step};

impl Plan {
    /// The rollout of a plan. `present` are the runs that fill slots, or that a restart policy is about to start; a slot
    /// whose run has ended for good is left out. `next_number` is the lowest number that no run of the app has had.
    ///
    /// If `present` differs from the status from which the plan was made, `present` decides: in an empty slot nothing is
    /// replaced or stopped, and an instance that has come up in a slot that was to be started is replaced.
    pub fn rollout(&self, present: &BTreeMap<Slot, Present>, next_number: u64) -> ps_rollout::Plan {
        let mut types: BTreeMap<_, TypePlan> = BTreeMap::new();
        let order = self.release.order();
        for step in &self.steps {
            let process_type = &step.slot.process_type;
            let change = change(step, present.get(&step.slot).cloned());
            let (Some(change), Some(rules)) = (change, self.rules.get(process_type)) else { continue };
            let after = order.waits(process_type).to_vec();
            let planned = TypePlan { rules: *rules, after, slots: BTreeMap::new() };
            types.entry(process_type.clone()).or_insert(planned).slots.insert(step.slot.index, change);
        }
        ps_rollout::Plan { types, next_number }
    }
}

fn change(step: &Step, present: Option<Present>) -> Option<ps_rollout::Change> {
    match (step.change, present) {
        (Change::Keep, present) => present.map(ps_rollout::Change::Keep),
        (Change::Stop, present) => present.map(ps_rollout::Change::Stop),
        (Change::Start | Change::Replace, Some(present)) => Some(ps_rollout::Change::Replace(present)),
        (Change::Start | Change::Replace, None) => Some(ps_rollout::Change::Start),
    }
}

#[cfg(test)]
mod tests {

    use formation::State;
    use ps_rollout::{Lane, Strategy};

    use super::*;
    use crate::conformance::formation;
    use crate::plan::tests::release;
    use crate::{Instance, Intent};

    fn slot(text: &str) -> Slot {
        text.parse().expect("a legal slot")
    }

    fn present(number: u64) -> Present {
        Present { number, lane: Lane::Own, is_up: true }
    }

    #[test]
    fn each_slot_is_given_what_it_becomes_and_the_run_that_is_there() {
        let wanted = formation(&["web=4"]);
        let up = |text| Instance::new(slot(text), State::Running);
        let instances = [up("web.1"), up("web.2"), up("old.1"), up("old.2")];
        let plan = Plan::new(release(), &wanted, &instances, &Intent::Deploy, Strategy::OneByOne);
        // web.2 and old.2 have ended since the plan was made, and web.3 has come up.
        let there =
            [("web.1", 7), ("web.3", 9), ("old.1", 4)].map(|(text, number)| (slot(text), present(number)));
        let rollout = plan.rollout(&there.into_iter().collect(), 10);
        let slots = |name: &str| rollout.types[name].slots.clone();
        assert_eq!(
            slots("web"),
            BTreeMap::from([
                (1, ps_rollout::Change::Replace(present(7))),
                (2, ps_rollout::Change::Start),
                (3, ps_rollout::Change::Replace(present(9))),
                (4, ps_rollout::Change::Start),
            ])
        );
        assert_eq!(slots("old"), BTreeMap::from([(1, ps_rollout::Change::Stop(present(4)))]));
        assert_eq!((rollout.next_number, rollout.types["web"].rules), (10, plan.rules["web"]));
    }
}
