//! What is written and told of a run: into its own directory, into that of its slot, to whoever watches.

use std::io;
use std::path::Path;
use std::time::Instant;

use formation::State;
use ps_rollout::Role;

use super::{Run, TRY_AGAIN, Written};
use crate::status::{self, Status};

impl Run {
    /// What it is doing, and what it is to its slot, as files and terminals say it.
    pub(crate) fn show(&mut self, state: State, role: Role) {
        if self.status.state != state {
            self.status.since = status::now();
            self.status.state = state;
            self.changed = true;
        }
        self.changed |= self.status.role != Some(role);
        self.status.role = Some(role);
    }

    /// Says again what is known of it.
    pub(crate) fn mark_changed(&mut self) {
        self.changed = true;
    }

    /// What is known of it stands in its files already.
    pub(crate) fn is_as_written(&mut self) {
        self.changed = false;
    }

    /// Whether something of it changed since it was last told.
    pub(crate) fn has_changed(&self) -> bool {
        self.changed
    }

    /// Whether what it is doing has been written down, wherever that is.
    pub(crate) fn is_written(&self) -> bool {
        self.written != Written::Nowhere
    }

    /// What is known of it, if that changed since this was last asked. It has been written into its own directory, and into
    /// that of its slot where `slot` is given. `is_kept`: it stands in `state` as well.
    pub(crate) fn take_change(&mut self, slot: Option<&Path>, is_kept: bool) -> Option<Status> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        // A disk that takes no status must not stop the processes; whoever watches is told, and it is written later.
        let of_slot = slot.map_or(Ok(()), |slot| self.status.write(slot));
        self.written = match of_slot.and(self.write_own()) {
            Ok(()) => Written::Everywhere,
            Err(_) if is_kept => Written::InState,
            Err(_) => Written::Nowhere,
        };
        if self.written != Written::Everywhere {
            self.try_again.get_or_insert_with(|| Instant::now() + TRY_AGAIN);
        }
        Some(self.status.clone())
    }

    pub(super) fn write_own(&self) -> io::Result<()> {
        if self.outputs.is_piped() || self.number() == 0 {
            return Ok(());
        }
        match self.status.write_run(&self.outputs.directory()) {
            // It has none yet, or somebody removed it: it is made with the next start.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            written => written,
        }
    }
}
