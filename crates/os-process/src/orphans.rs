//! Processes that outlived their parent and became children of this process, as the kernel does for a child subreaper
//! (prctl(2), `PR_SET_CHILD_SUBREAPER`). While this process is a subreaper, everything that its children have started
//! stays below it. So a tree whose main process it has reaped is empty if it has no children except those that belong
//! elsewhere. One list shows that, whereas reading all of /proc takes milliseconds on a busy machine.

use std::collections::BTreeSet;
use std::process;

use crate::stat::{Stat, children};

/// How often the list is read while children end.
const TRIES: usize = 8;

/// Whether this process has a living child other than those that are `known`; also true if that is unknown. All children
/// must be those of its first thread.
///
/// The list is exact although it is not read at one moment: only this process can remove a child from it, by reaping, and
/// what a child leaves is added at its end. A child that has ended without being reaped may have left others after they
/// could be listed, so the list is read again.
pub fn has_orphans(known: &BTreeSet<u32>) -> bool {
    let mut dead = BTreeSet::new();
    for _ in 0..TRIES {
        let Some(listed) = children(process::id()) else { return true };
        let is_other = |pid: &u32| !known.contains(pid) && !dead.contains(pid);
        let others: Vec<u32> = listed.into_iter().filter(is_other).collect();
        if others.is_empty() {
            return false;
        }
        if others.iter().any(|pid| Stat::of_living(*pid).is_some()) {
            return true;
        }
        dead.extend(others);
    }
    true
}
