//! Finds out when the process tree of a run is empty after its main process has ended.

use os_process::has_orphans;

use super::Run;
use super::descent::Descent;
use crate::means::Means;

impl Run {
    /// Whether it waits until its tree is empty.
    pub(crate) fn is_clearing(&self) -> bool {
        self.state.waits_for_empty() && self.process.is_none()
    }

    /// Whether the list of our children shows that nothing of the tree has outlived its main process. It does so mostly, and saves
    /// reading all processes.
    pub(super) fn leaves_nothing(&self, means: &Means) -> bool {
        let is_to_be_told =
            !self.tree.is_exact() && self.descent == Descent::FromUs && self.process.is_none();
        is_to_be_told && !has_orphans(&means.mains)
    }

    /// Whether the tree is empty. Without a cgroup it must be found empty in two turns, because a process that forks while
    /// /proc is read can be missed once.
    pub(super) fn has_emptied(&mut self, means: &mut Means) -> bool {
        if self.leaves_nothing(means) {
            return true;
        }
        let is_empty = self.tree.is_empty(None, &mut means.census);
        let turn = means.census.turn();
        let before = *self.looked_empty.get_or_insert(turn);
        if !is_empty {
            self.looked_empty = None;
        }
        is_empty && (self.tree.is_exact() || before != turn)
    }
}
