//! The containers of an app: its records together with what the engine lists. A new rollout starts from this, and so does
//! one that is taken over from a dead executor.

use std::collections::BTreeMap;

use formation::Slot;
use ps_apps::InstanceFiles;
use ps_engine::Container;
use ps_rollout::{Condition, Lane, Observed, Present, Revision, Run};

use crate::label;

/// A container and its run.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) run: Run,
    pub(crate) lane: Lane,
    pub(crate) id: String,
    /// Whether it is recorded as filling its slot.
    is_recorded: bool,
    /// Whether its process lives; false while the engine waits to restart it.
    is_up: bool,
    may_serve: bool,
}

/// The containers of an app that are runs. An unrecorded container whose number is missing or unreadable does not count as
/// a run; a recorded one without a number is run 0.
pub(crate) fn runs(records: &InstanceFiles, listed: &[Container]) -> Vec<Found> {
    let recorded: BTreeMap<&str, &Slot> =
        records.slots.iter().filter_map(|(slot, record)| Some((record.id.as_deref()?, slot))).collect();
    let found = |container: &Container| {
        let slot = recorded.get(container.id.as_str()).copied();
        let number = match label::run_number(container) {
            Some(0) | None if slot.is_none() => return None,
            number => number.unwrap_or(0),
        };
        let slot = slot.cloned().or_else(|| label::slot(container))?;
        Some(Found {
            is_recorded: recorded.contains_key(container.id.as_str()),
            run: Run { slot, number },
            lane: label::lane(container),
            id: container.id.clone(),
            is_up: container.state.is_alive(),
            may_serve: container.may_serve(),
        })
    };
    listed.iter().filter_map(found).collect()
}

/// The runs that fill slots, or that the engine is about to restart.
pub(crate) fn present(runs: &[Found]) -> BTreeMap<Slot, Present> {
    let filling = runs.iter().filter(|found| found.is_recorded && found.may_serve);
    let present = |found: &Found| Present { number: found.run.number, lane: found.lane, is_up: found.is_up };
    filling.map(|found| (found.run.slot.clone(), present(found))).collect()
}

/// The runs that a rollout has to know when it is taken over. Its record lists the runs that it has started, so the
/// release of a run only matters if the run is not in the record.
pub(crate) fn observed(runs: &[Found]) -> Vec<Observed> {
    let observed = |found: &Found| Observed {
        run: found.run.clone(),
        lane: found.lane,
        revision: if found.is_recorded { Revision::Old } else { Revision::New },
        condition: if found.may_serve { Condition::Up } else { Condition::Over },
    };
    runs.iter().map(observed).collect()
}

/// A number above those of all listed runs and of all runs that the app has had.
pub(crate) fn next_number(listed: &[Container], written: u64) -> u64 {
    let after = |container: &Container| label::run_number(container).map_or(0, |number| number + 1);
    listed.iter().map(after).fold(written.max(1), u64::max)
}

/// The number of the app's release: the recorded one, or that of its recorded containers if it is higher because the file
/// was lost.
pub(crate) fn release(records: &InstanceFiles, listed: &[Container], written: u64) -> u64 {
    let recorded = listed.iter().filter(|container| records.contains(&container.id));
    recorded.filter_map(label::release).fold(written, u64::max)
}
