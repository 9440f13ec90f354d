//! How the processes of an app are told from those of others, by whoever looks for them: what `os-process` has to be given.

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

/// What the processes of a run bear as the value of [`MARKER`].
pub fn mark(service: &Path, slot: &Slot, run: u64) -> PathBuf {
    service.join(RunName { slot: slot.clone(), number: run }.to_string())
}

/// The processes of a service directory, whoever supervises them.
#[derive(Debug)]
pub struct Strays(os_process::Strays<RunName>);

/// Those of one service directory, which need not exist any more.
pub fn strays(service: &Path) -> Strays {
    Strays(os_process::Strays::of(service, MARKER, layout::run_names(service)))
}

impl Strays {
    /// Slot to pids of what lives now; `None`: of the service directory, and nothing says of which slot.
    pub fn find(&mut self) -> BTreeMap<Option<Slot>, Vec<u32>> {
        by_slot(self.0.find())
    }

    /// Ends what `is_meant` says: SIGTERM, SIGKILL after `grace`, until nothing is left. What even SIGKILL does not end is
    /// returned; what we may not signal is not waited for.
    pub fn end(
        &mut self,
        grace: Duration,
        is_meant: impl Fn(Option<&Slot>) -> bool,
    ) -> BTreeMap<Option<Slot>, Vec<u32>> {
        by_slot(self.0.end(grace, |name| is_meant(name.map(|name| &name.slot))))
    }
}

/// A slot may hold processes of several runs.
fn by_slot(found: BTreeMap<Option<RunName>, Vec<u32>>) -> BTreeMap<Option<Slot>, Vec<u32>> {
    let mut slots: BTreeMap<Option<Slot>, Vec<u32>> = BTreeMap::new();
    for (name, pids) in found {
        slots.entry(name.map(|name| name.slot)).or_default().extend(pids);
    }
    slots
}

/// The pids of the supervisors of a service directory that live, be the directory gone or its socket removed.
pub fn living_supervisors(service: &Path) -> Vec<u32> {
    os_process::executing(PROGRAM, service)
}
