//! Instances at an earlier time.

use ps_journal::{Entry, lives_at};
use ps_scheduler::Instance;

/// The instances of an app after these entries of its journal, by slot, with the facts that are in the journal.
pub fn instances_after(entries: &[Entry]) -> Vec<Instance> {
    let instance = |(slot, lived): (_, ps_journal::Lived)| Instance {
        run: Some(lived.run),
        since: Some(lived.since),
        restarts: Some(lived.restarts),
        last_exit: lived.last_exit,
        ..Instance::new(slot, lived.state)
    };
    lives_at(entries).into_iter().map(instance).collect()
}
