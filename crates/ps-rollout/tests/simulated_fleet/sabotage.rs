//! Executors and engines that are broken on purpose: the laws must catch each of them.

use std::num::NonZeroU16;
use std::time::Duration;

use ps_rollout::{Action, Plan, Revision, Run, Strategy};

use crate::scenario::{Kind, Scenario};

/// The part that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sabotage {
    EndsTheOldFirst,
    ForgetsARunOnResume,
    SaysEndedTooEarly,
    RecordsNothing,
    HasNoTimers,
    NeverForgets,
    IgnoresCancel,
    WaivesTheMinimumLife,
    KnowsNoLimit,
    KnowsOneLane,
    OverlapsWhatStopsFirst,
    OverlapsWhatGoesOneByOne,
    RestartsNothing,
    SwitchesClients,
    KnowsNoOrder,
}

impl Sabotage {
    /// The plan as a broken rollout understands it.
    pub(crate) fn plan(sabotage: Option<Self>, plan: &Plan) -> Plan {
        let mut plan = plan.clone();
        for planned in plan.types.values_mut() {
            if sabotage == Some(Self::WaivesTheMinimumLife) {
                planned.rules.minimum_life = Duration::ZERO;
            }
            let is_mistaken = match planned.rules.strategy {
                Strategy::Overlap => false,
                Strategy::OneByOne => sabotage == Some(Self::OverlapsWhatGoesOneByOne),
                Strategy::StopFirst => sabotage == Some(Self::OverlapsWhatStopsFirst),
            };
            if is_mistaken {
                planned.rules.strategy = Strategy::Overlap;
            }
            if sabotage == Some(Self::KnowsNoOrder) {
                planned.after.clear();
            }
            if sabotage == Some(Self::KnowsNoLimit) {
                planned.rules.max_parallel = NonZeroU16::MAX;
                planned.rules.max_trials = None;
            }
        }
        plan
    }

    /// The actions as a broken rollout orders them.
    pub(crate) fn spoil(sabotage: Option<Self>, scenario: &Scenario, actions: &mut Vec<Action>) {
        if sabotage != Some(Self::EndsTheOldFirst) {
            return;
        }
        let old_of = |action: &Action| match action {
            Action::Start { run, revision: Revision::New, .. } => {
                let planned = &scenario.slots[&run.slot];
                let number = planned.present.as_ref().filter(|_| planned.kind == Kind::Replace)?.number;
                Some(Action::End(Run { slot: run.slot.clone(), number }))
            }
            _ => None,
        };
        let endings: Vec<Action> = actions.iter().filter_map(old_of).collect();
        actions.extend(endings);
    }

    /// The rollout as an executor reads it that loses a new run while reading. Returns which one.
    pub(crate) fn forget(sabotage: Option<Self>, text: &mut String) -> Option<u64> {
        if sabotage != Some(Self::ForgetsARunOnResume) {
            return None;
        }
        let mut rollout: serde_json::Value = serde_json::from_str(text).expect("it was just written");
        let seats = rollout["seats"].as_array_mut()?;
        let new = seats.iter_mut().map(|seat| &mut seat["new"]).find(|new| !new.is_null())?;
        let number = new["run"]["number"].as_u64()?;
        *new = serde_json::Value::Null;
        *text = rollout.to_string();
        Some(number)
    }
}
