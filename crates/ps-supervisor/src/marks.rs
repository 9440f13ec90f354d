//! Describes the processes of an app to `os-process`, so that it finds them among all others.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use formation::Slot;

use crate::layout;
use crate::run_name::RunName;

/// The variable that marks every process of a run. Its value is the service directory's path and the run's name,
/// `…/shop/web.1@17`.
pub const MARKER: &str = "FORMATION_INSTANCE";
const PROGRAM: &str = "ps-supervise";

/// The value of [`MARKER`] for the processes of a run.
pub fn mark(service: &Path, slot: &Slot, run: u64) -> PathBuf {
    service.join(RunName { slot: slot.clone(), number: run }.to_string())
}

/// Finds the processes of a service directory, also those without a supervisor.
#[derive(Debug)]
pub struct Strays(os_process::Strays<RunName>);

/// The finder for a service directory, which may have been removed.
pub fn strays(service: &Path) -> Strays {
    Strays(os_process::Strays::of(service, MARKER, layout::run_names(service)))
}

impl Strays {
    /// The pids of all living processes by slot; under `None` those that belong to the service directory, but whose slot is
    /// not known.
    pub fn find(&mut self) -> BTreeMap<Option<Slot>, Vec<u32>> {
        by_slot(self.0.find())
    }

    /// Ends the processes that `is_meant` selects: SIGTERM, then SIGKILL after `grace`, until none is left. Returns those
    /// that survive SIGKILL. Processes that we may not signal are not waited for.
    pub fn end(
        &mut self,
        grace: Duration,
        is_meant: impl Fn(Option<&Slot>) -> bool,
    ) -> BTreeMap<Option<Slot>, Vec<u32>> {
        by_slot(self.0.end(grace, |name| is_meant(name.map(|name| &name.slot))))
    }
}

/// Joins the processes of all runs of a slot.
fn by_slot(found: BTreeMap<Option<RunName>, Vec<u32>>) -> BTreeMap<Option<Slot>, Vec<u32>> {
    let mut slots: BTreeMap<Option<Slot>, Vec<u32>> = BTreeMap::new();
    for (name, pids) in found {
        slots.entry(name.map(|name| name.slot)).or_default().extend(pids);
    }
    slots
}

/// The pids of the living supervisors of a service directory, even if the directory or its socket was removed.
pub fn living_supervisors(service: &Path) -> Vec<u32> {
    os_process::executing(PROGRAM, service)
}
