//! A step of a plan: what happens to one slot, and why. Pure.

use std::collections::{BTreeMap, BTreeSet};

use formation::{Formation, ProcessType, Slot, State, Which};

use crate::{Instance, Over};

/// What happens to one slot. [`ps_rollout::Change`] is the same, together with the present run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// The instance runs and is kept.
    Keep,
    /// A new instance starts in an empty slot.
    Start,
    /// The instance ends.
    Stop,
    /// A new instance takes the place of the old one.
    Replace,
}

impl Change {
    /// Its name in the output of `--dry-run`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Replace => "replace",
        }
    }
}

/// The reason for a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Start what is missing, stop what is not wanted, and touch nothing else: scale, restore. Instances that are at rest
    /// for a reason ([`Over`]) are not started.
    Converge(Which),
    /// The same, ordered by a person: these instances are started even if they are at rest ([`Over`]).
    Start(Which),
    /// A new release: every wanted instance is replaced.
    Deploy,
    /// A new release that differs from the one before in these types alone: their instances are replaced, and others converged.
    DeployTypes(BTreeSet<ProcessType>),
    /// Replace some instances by the same release; others are converged.
    Restart(Which),
}

/// What happens to one slot, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The slot.
    pub slot: Slot,
    /// What happens to it.
    pub change: Change,
    /// Why, for people: one short fragment.
    pub reason: &'static str,
}

/// For each slot the instance that stays if the rollout goes no further: of two instances in a slot, one is left out.
fn one_a_slot(instances: &[Instance]) -> BTreeMap<&Slot, &Instance> {
    let mut one: BTreeMap<&Slot, &Instance> = BTreeMap::new();
    for instance in instances {
        let before = one.entry(&instance.slot).or_insert(instance);
        if instance.role < before.role {
            *before = instance;
        }
    }
    one
}

/// One step for each slot that is wanted or filled, ordered by type, then index.
pub(crate) fn steps(
    wanted: &Formation,
    present: &[Instance],
    intent: &Intent,
    is_scheduled: &dyn Fn(&Slot, Option<&Instance>) -> bool,
) -> Vec<Step> {
    let present = one_a_slot(present);
    let wanted_slots = wanted_slots(wanted, &present);
    let mut slots: BTreeSet<Slot> = wanted_slots.clone();
    slots.extend(present.keys().map(|slot| (*slot).clone()));
    let step_of = |slot: Slot| {
        let quantity = wanted.get(slot.process_type.as_str()).map_or(0, formation::Quantity::get);
        let (is_wanted, present) = (wanted_slots.contains(&slot), present.get(&slot).copied());
        let (change, reason) = if quantity > 0 && is_scheduled(&slot, present) {
            decide_by_schedule(&slot, is_wanted, present, intent)?
        } else {
            decide(&slot, is_wanted, present, intent)?
        };
        Some(Step { slot, change, reason })
    };
    slots.into_iter().filter_map(step_of).collect()
}

/// The step of a type that runs by a schedule. Such instances are started by the clock, or by a person who asks for this type
/// or instance. A new release or a restart takes effect at the next run.
fn decide_by_schedule(
    slot: &Slot,
    is_wanted: bool,
    present: Option<&Instance>,
    intent: &Intent,
) -> Option<(Change, &'static str)> {
    let is_alive = present.is_some_and(|now| now.state.is_alive() || now.state == State::Backoff);
    let is_by_hand = present.is_some_and(|now| now.over == Some(Over::StoppedByHand));
    let is_asked_for = matches!(intent, Intent::Start(which) if *which != Which::All && which.includes(slot));
    match (is_wanted, intent) {
        // A container that runs without a schedule would never end by itself.
        _ if present.is_some_and(|now| is_alive && now.container_id.is_some() && now.next.is_none()) => {
            Some((Change::Stop, "it is to run by a schedule"))
        }
        (true, _) if is_asked_for && !is_alive => Some((Change::Start, "asked for, beside its schedule")),
        (true, Intent::Converge(_)) if is_by_hand => None,
        (true, _) if is_alive => Some((Change::Keep, "it runs by its schedule")),
        (true, _) => Some((Change::Keep, "it runs when it is due")),
        (false, _) if is_alive => Some((Change::Keep, "it runs beside others, to its end")),
        (false, _) => Some((Change::Stop, "not in the formation, and not running")),
    }
}

/// The slots that are to be filled: the lowest of each type. If the scheduler chooses which instances stay, first the filled
/// slots, and then the lowest.
fn wanted_slots(wanted: &Formation, present: &BTreeMap<&Slot, &Instance>) -> BTreeSet<Slot> {
    let slots_of = |process_type: &ProcessType, quantity: u16| {
        let there = present.values().filter(|now| now.slot.process_type == *process_type);
        let mut there: Vec<&Instance> = there.filter(|now| now.is_interchangeable).copied().collect();
        there.sort_by_key(|now| (!is_filled(now), now.state != State::Waiting));
        let taken: Vec<u16> = there.iter().map(|now| now.slot.index).collect();
        let free = (1..=u16::MAX).filter(|index| !taken.contains(index));
        let chosen = taken.iter().copied().chain(free).take(quantity.into());
        chosen.map(|index| Slot::new(process_type.clone(), index)).collect::<Vec<_>>()
    };
    wanted.iter().flat_map(|(process_type, quantity)| slots_of(process_type, quantity.get())).collect()
}

/// Whether the slot has an instance that could be kept or replaced. An instance that waits for others has no process yet.
pub(crate) fn is_filled(now: &Instance) -> bool {
    now.state.is_alive() || matches!(now.state, State::Backoff | State::Scheduled)
}

fn decide(
    slot: &Slot,
    is_wanted: bool,
    present: Option<&Instance>,
    intent: &Intent,
) -> Option<(Change, &'static str)> {
    let is_filled = present.is_some_and(is_filled);
    let is_meant = match intent {
        Intent::Converge(which) | Intent::Start(which) | Intent::Restart(which) => which.includes(slot),
        Intent::Deploy | Intent::DeployTypes(_) => true,
    };
    let is_changed = match intent {
        Intent::DeployTypes(types) => types.contains(&slot.process_type),
        Intent::Converge(_) | Intent::Start(_) | Intent::Restart(_) | Intent::Deploy => true,
    };
    let is_replaced = is_meant
        && is_changed
        && matches!(intent, Intent::Deploy | Intent::DeployTypes(_) | Intent::Restart(_));
    let is_altered = present.is_some_and(|now| now.is_altered);
    let is_put_back = is_meant && is_altered && matches!(intent, Intent::Converge(_));
    let over = present.and_then(|instance| instance.over);
    let is_asked_for = is_meant && is_changed && !matches!(intent, Intent::Converge(_));
    match (is_wanted, is_filled, present.is_some()) {
        (false, true, true) => Some((Change::Stop, "not in the formation")),
        // This removes what is left of it: a status file, or a container that has ended.
        (false, false, true) => Some((Change::Stop, "not in the formation, and not running")),
        (true, true, _) if is_replaced => Some((Change::Replace, replace_reason(intent))),
        (true, true, _) if is_put_back => Some((Change::Replace, "somebody else has changed it")),
        (true, true, _) => Some((Change::Keep, "already as wanted")),
        (true, false, _) if is_asked_for => Some((Change::Start, "wanted, but not running")),
        (true, false, _) => match over {
            // A wanted slot that was stopped by hand gets no step.
            Some(Over::StoppedByHand) => None,
            Some(Over::Finished) => Some((Change::Keep, "it has finished")),
            Some(Over::GivenUp) => Some((Change::Keep, "it was given up")),
            None => is_meant.then_some((Change::Start, "wanted, but not running")),
        },
        (false, _, false) => None,
    }
}

fn replace_reason(intent: &Intent) -> &'static str {
    match intent {
        Intent::Deploy => "new release",
        Intent::DeployTypes(_) => "it has changed",
        Intent::Restart(_) | Intent::Start(_) | Intent::Converge(_) => "restart asked for",
    }
}
