//! A random app, and the plan for it.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::time::Duration;

use formation::{Milestone, ProcessType, Slot, Wait};
use ps_rollout::{Change, Lane, Plan, Present, Rules, Strategy, TypePlan};

use crate::dice::Dice;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// The change of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Keep,
    Start,
    Stop,
    Replace,
}

/// A slot, its change, and its rules.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) kind: Kind,
    pub(crate) rules: Rules,
    pub(crate) present: Option<Present>,
}

impl Planned {
    /// Whether the new revision is to run in it.
    pub(crate) fn is_rolled(&self) -> bool {
        matches!(self.kind, Kind::Start | Kind::Replace)
    }
}

pub(crate) struct Scenario {
    pub(crate) plan: Plan,
    pub(crate) slots: BTreeMap<Slot, Planned>,
    /// Whether a slot that fails is left out; only if no slot is replaced or stopped.
    pub(crate) is_each_for_itself: bool,
}

impl Scenario {
    /// The types that the type of a slot waits for.
    pub(crate) fn waits(&self, slot: &Slot) -> &[Wait] {
        &self.plan.types[&slot.process_type].after
    }

    /// Whether other types wait for the end of a slot's type.
    pub(crate) fn is_to_end(&self, slot: &Slot) -> bool {
        let is_it = |wait: &Wait| wait.process_type == slot.process_type && wait.milestone == Milestone::Done;
        self.plan.types.values().flat_map(|planned| &planned.after).any(is_it)
    }

    pub(crate) fn roll(dice: &mut Dice<'_>) -> Self {
        let mut number = 0;
        let mut types: BTreeMap<ProcessType, TypePlan> = BTreeMap::new();
        for name in ["web", "worker", "clock"].iter().take(1 + usize::try_from(dice.below(3)).unwrap_or(0)) {
            let process_type: ProcessType = name.parse().expect("a legal process type");
            let mut planned = type_plan(dice, &mut number);
            planned.after = after(dice, &types);
            types.insert(process_type, planned);
        }
        let plan = Plan { types, next_number: number + 1 };
        let slots = planned(&plan);
        let fills = |planned: &Planned| matches!(planned.kind, Kind::Keep | Kind::Start);
        let is_each_for_itself = slots.values().all(fills) && !dice.chance(25);
        Self { plan, slots, is_each_for_itself }
    }
}

fn type_plan(dice: &mut Dice<'_>, number: &mut u64) -> TypePlan {
    let strategy = match dice.below(3) {
        0 => Strategy::Overlap,
        1 => Strategy::OneByOne,
        _ => Strategy::StopFirst,
    };
    let few = |dice: &mut Dice<'_>| NonZeroU16::MIN.saturating_add(u16::try_from(dice.below(3)).unwrap_or(0));
    let rules = Rules {
        strategy,
        max_parallel: few(dice),
        max_trials: dice.chance(50).then(|| few(dice)),
        is_checked: dice.chance(50),
        may_end: false,
        minimum_life: SECOND * u32::try_from(dice.below(4)).unwrap_or(0),
        deadline: SECOND * 30,
    };
    let is_deploy = !dice.chance(25);
    let count = 1 + u16::try_from(dice.below(4)).unwrap_or(0);
    let slots = (1..=count).map(|index| (index, change(dice, number, is_deploy))).collect();
    TypePlan { rules, after: Vec::new(), slots }
}

/// Random dependencies on types that exist already, so that there is no circle.
fn after(dice: &mut Dice<'_>, earlier: &BTreeMap<ProcessType, TypePlan>) -> Vec<Wait> {
    let mut waits = Vec::new();
    for (process_type, planned) in earlier {
        if !dice.chance(40) {
            continue;
        }
        let milestone = match dice.below(3) {
            1 => Milestone::Started,
            // A type that stops first cannot be waited for to be done.
            2 if planned.rules.strategy != Strategy::StopFirst => Milestone::Done,
            _ => Milestone::Ready,
        };
        waits.push(Wait { process_type: process_type.clone(), milestone });
    }
    waits
}

/// A deploy replaces, starts and stops; a scale keeps, starts and stops.
fn change(dice: &mut Dice<'_>, number: &mut u64, is_deploy: bool) -> Change {
    let roll = dice.below(6);
    if roll == 4 {
        return Change::Start;
    }
    *number += 1;
    let lane = if dice.chance(25) { Lane::Second } else { Lane::Own };
    let present = Present { number: *number, lane, is_up: !dice.chance(5) };
    match (roll, is_deploy) {
        (5, _) => Change::Stop(present),
        (_, true) => Change::Replace(present),
        (_, false) => Change::Keep(present),
    }
}

fn planned(plan: &Plan) -> BTreeMap<Slot, Planned> {
    let mut slots = BTreeMap::new();
    for (process_type, planned) in &plan.types {
        for (index, change) in &planned.slots {
            let (kind, present) = match change {
                Change::Keep(present) => (Kind::Keep, Some(present.clone())),
                Change::Start => (Kind::Start, None),
                Change::Stop(present) => (Kind::Stop, Some(present.clone())),
                Change::Replace(present) => (Kind::Replace, Some(present.clone())),
            };
            let slot = Slot::new(process_type.clone(), *index);
            slots.insert(slot, Planned { kind, rules: planned.rules, present });
        }
    }
    slots
}
