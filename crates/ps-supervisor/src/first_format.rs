//! A status of the first format does not say of an instance that its process finished (`done`). The supervisor of that time knew
//! it while it lived, and its successor started again all that had finished. Before a supervisor of today takes over, it is
//! written down from what else the statuses say, so that nothing runs twice.
//!
//! One thing they do not tell: whether an app of which nothing runs has finished, or was ended by a SIGTERM to its supervisor.
//! Then only whoever saw that supervisor alive knows that it has finished.

use std::collections::BTreeSet;
use std::path::Path;

use formation::{Exit, RestartPolicy, Slot};
use serde_json::Value;

use crate::layout::MAX_FILE_BYTES;
use crate::spec::Spec;
use crate::status::STATUS_FILE;

/// Whether the supervisor of that time was seen alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Predecessor {
    /// It lived until it was ended for this.
    Alive,
    /// Nobody knows how it ended.
    Unknown,
}

/// The instances that have finished and whose statuses, of the first format, do not say so.
pub fn finished(service: &Path, predecessor: Predecessor) -> BTreeSet<Slot> {
    statuses(service, predecessor).into_iter().map(|(slot, _)| slot).collect()
}

/// Notes that in their statuses. What cannot be read or written is left as it is.
pub fn note_finished(service: &Path, predecessor: Predecessor) {
    for (slot, mut status) in statuses(service, predecessor) {
        status["done"] = Value::Bool(true);
        let directory = service.join(slot.to_string());
        let _ = durable::replace(&directory, STATUS_FILE, status.to_string().as_bytes());
    }
}

fn statuses(service: &Path, predecessor: Predecessor) -> Vec<(Slot, Value)> {
    let Ok(spec) = Spec::read(service) else { return Vec::new() };
    let status = |slot: Slot| Some((slot.clone(), first_status(&service.join(slot.to_string()))?));
    let mut found: Vec<(Slot, Value)> = spec.wanted().into_iter().filter_map(status).collect();
    let was_running = |(_, status): &(Slot, Value)| !status["process"].is_null();
    if predecessor == Predecessor::Unknown && !found.iter().any(was_running) {
        return Vec::new();
    }
    found.retain(|(_, status)| has_finished(status, &spec));
    found
}

/// The status in the directory of an instance, if that is of the first format.
fn first_status(directory: &Path) -> Option<Value> {
    let bytes = durable::state(&directory.join(STATUS_FILE), MAX_FILE_BYTES).ok()?;
    let status: Value = serde_json::from_slice(&bytes).ok()?;
    (status.is_object() && status.get("done").is_none()).then_some(status)
}

/// Whether an instance that is to run is over and was not given up: by its policy, its end was a good one.
fn has_finished(status: &Value, spec: &Spec) -> bool {
    let exit: Option<Exit> = serde_json::from_value(status["last_exit"].clone()).ok().flatten();
    let is_over = status["state"] == "stopped" && status["process"].is_null();
    let is_good = |exit: Exit| exit.is_success() || spec.restart_policy == RestartPolicy::No;
    is_over && exit.is_some_and(is_good)
}
