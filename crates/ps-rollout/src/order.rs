//! Types that wait for each other. A new run starts, and an old run is ended to make room for it, only when the types that
//! its type waits for have come far enough. If runs of both types end, the run of the dependent type ends first.
//!
//! For example, `web` waits for `db` to be ready, and both are replaced one by one. The trial of `web` starts when that of `db`
//! has passed. Then `db` is moved, and `web` is moved when the new run of `db` serves.

use formation::{Milestone, Wait};
use serde::{Deserialize, Serialize};

use crate::Strategy;
use crate::plan::Plan;

/// How a type is related to the others. Types are named by the index of their rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// The types that it waits for.
    pub(crate) after: Vec<(usize, Milestone)>,
    /// Whether other types wait for it to be done. Then its runs have passed the gate when they have ended with success.
    pub(crate) is_to_end: bool,
    /// Whether other types wait for it, its strategy is to stop first, and it has no run to stop. Then its runs start in
    /// the first stage, in which the others wait for them.
    pub(crate) comes_early: bool,
}

/// The places of the types of a plan. A type that the plan leaves out is not waited for. If types wait for each other in a
/// circle, no type waits: a rollout always ends.
pub(crate) fn places(plan: &Plan) -> Vec<Place> {
    let index = |wait: &Wait| {
        let found = plan.types.keys().position(|process_type| *process_type == wait.process_type);
        found.map(|index| (index, wait.milestone))
    };
    let mut places: Vec<Place> = plan
        .types
        .values()
        .map(|planned| Place { after: planned.after.iter().filter_map(index).collect(), ..Place::default() })
        .collect();
    if (0..places.len()).any(|index| leads_round(&places, index)) {
        return Vec::new();
    }
    for (index, planned) in plan.types.values().enumerate() {
        let waits = places.iter().flat_map(|place| &place.after).filter(|(other, _)| *other == index);
        let is_to_end = waits.clone().any(|(_, milestone)| *milestone == Milestone::Done);
        let has_nothing = planned.slots.values().all(|change| *change == crate::Change::Start);
        let comes_early = planned.rules.strategy == Strategy::StopFirst && has_nothing && waits.count() > 0;
        places[index] = Place { is_to_end, comes_early, ..std::mem::take(&mut places[index]) };
    }
    if places.iter().all(|place| place.after.is_empty()) { Vec::new() } else { places }
}

fn leads_round(places: &[Place], start: usize) -> bool {
    let mut reached: Vec<usize> = places[start].after.iter().map(|(index, _)| *index).collect();
    let mut next = 0;
    while let Some(index) = reached.get(next).copied() {
        let more = places[index].after.iter().map(|(index, _)| *index);
        let new: Vec<usize> = more.filter(|index| !reached.contains(index)).collect();
        reached.extend(new);
        next += 1;
    }
    reached.contains(&start)
}
