//! Statuses of the first format do not say whether an instance has finished (`done`). The supervisor of that time kept it
//! in memory alone, and the next one started every finished instance again. So that this does not happen on an upgrade, the
//! finished instances are worked out from the other fields and written down before a supervisor of today takes over.
//!
//! The fields do not tell one thing: if nothing of an app runs, whether it has finished or its supervisor was ended by
//! SIGTERM, which stops the app. It counts as finished only if the caller saw that supervisor alive.

use std::collections::BTreeSet;
use std::path::Path;

use formation::{Exit, RestartPolicy, Slot};
use serde_json::Value;

use crate::layout::MAX_FILE_BYTES;
use crate::spec::Spec;
use crate::status::STATUS_FILE;

/// Whether the supervisor of the first format was seen alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Predecessor {
    /// It was alive until the caller ended it for this takeover.
    Alive,
    /// It was dead already, and how it ended is not known.
    Unknown,
}

/// The finished instances whose statuses, of the first format, do not say that they have.
pub fn finished(service: &Path, predecessor: Predecessor) -> BTreeSet<Slot> {
    statuses(service, predecessor).into_iter().map(|(slot, _)| slot).collect()
}

/// Writes `done` into the statuses of these instances. A status that cannot be read or written is left unchanged.
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

/// The status in the directory of an instance, if it is of the first format.
fn first_status(directory: &Path) -> Option<Value> {
    let bytes = durable::state(&directory.join(STATUS_FILE), MAX_FILE_BYTES).ok()?;
    let status: Value = serde_json::from_slice(&bytes).ok()?;
    (status.is_object() && status.get("done").is_none()).then_some(status)
}

/// Whether an instance that is to run has ended in a way that its policy accepts, so it was neither given up nor stopped.
fn has_finished(status: &Value, spec: &Spec) -> bool {
    let exit: Option<Exit> = serde_json::from_value(status["last_exit"].clone()).ok().flatten();
    let is_over = status["state"] == "stopped" && status["process"].is_null();
    let is_good = |exit: Exit| exit.is_success() || spec.restart_policy == RestartPolicy::No;
    is_over && exit.is_some_and(is_good)
}
