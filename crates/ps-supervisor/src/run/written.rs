//! Writes the status of a run into its own directory and its slot's, and sends it to clients.

use std::io::{self, ErrorKind::ReadOnlyFilesystem};
use std::path::Path;
use std::time::Instant;

use formation::State;
use ps_rollout::Role;

use super::{Run, TRY_AGAIN, Written};
use crate::process::Process;
use crate::status::{self, Status, Unrecorded};

impl Run {
    /// Sets the state and the role that files and terminals show.
    pub(crate) fn show(&mut self, state: State, role: Role) {
        if self.status.state != state {
            // A state that began and ended within one turn was never published, so `since` is that of the last published one.
            let (told, since) = self.told;
            self.status.since = if state == told { since } else { status::now() };
            self.status.state = state;
            self.changed = true;
        }
        self.changed |= self.status.role != Some(role);
        self.status.role = Some(role);
    }

    /// The status is to be written and told again.
    pub(crate) fn mark_changed(&mut self) {
        self.changed = true;
    }

    /// The status equals what is in the files.
    pub(crate) fn is_as_written(&mut self) {
        self.changed = false;
    }

    /// Whether the status has changed since it was last told.
    pub(crate) fn has_changed(&self) -> bool {
        self.changed
    }

    /// Whether the current status has been written to at least one place.
    pub(crate) fn is_written(&self) -> bool {
        self.written != Written::Nowhere
    }

    /// The status, if it has changed since the last call. It has been written into the run's directory, and into that of
    /// the slot if `slot` is given. `is_kept`: `state` holds it as well.
    pub(crate) fn take_change(&mut self, slot: Option<&Path>, is_kept: bool) -> Option<Status> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        self.told = (self.status.state, self.status.since);
        let gap = self.status.unrecorded.take();
        // Before the slot's file names this run: whoever reads that looks for the directory.
        let settled = self.outputs.settle();
        // A status that cannot be written must not stop the processes: clients are told, and it is written later.
        let of_slot = slot.map_or(Ok(()), |slot| self.status.write(slot));
        // While it fills the slot, the slot's own file says all the rest.
        let own = (self.process().map(Process::pid), self.status.role);
        let is_told = slot.is_some() && self.own_file == Some(own);
        let of_run = if is_told { Ok(()) } else { settled.and_then(|()| self.write_own()) };
        self.own_file = of_run.is_ok().then_some(own);
        let result = of_slot.and(of_run);
        self.written = match &result {
            Ok(()) => Written::Everywhere,
            Err(_) if is_kept => Written::InState,
            Err(_) => Written::Nowhere,
        };
        self.remember_gap(gap, result.err());
        if self.written != Written::Everywhere {
            self.try_again.get_or_insert_with(|| Instant::now() + TRY_AGAIN);
        }
        Some(Status::clone(&self.status))
    }

    /// Shows since when nothing can be recorded of it, or remembers that this is over. `gap`: what the status said of it until now.
    fn remember_gap(&mut self, gap: Option<Unrecorded>, error: Option<io::Error>) {
        match error {
            Some(error) if self.written == Written::Nowhere || error.kind() == ReadOnlyFilesystem => {
                let begun = || Unrecorded { since: status::now(), why: error.to_string() };
                self.status.unrecorded = Some(gap.unwrap_or_else(begun));
            }
            _ if gap.is_some() => {
                // `state` has what the status said until now, so it is written once more.
                (self.gap, self.changed) = (gap, true);
                self.try_again.get_or_insert_with(Instant::now);
            }
            _ => (),
        }
    }

    /// The time in which nothing could be recorded of it, once after it is over.
    pub(crate) fn take_gap(&mut self) -> Option<Unrecorded> {
        self.gap.take()
    }

    /// Whether it has a directory with a file of its own.
    pub(super) fn has_own_file(&self) -> bool {
        !self.outputs.is_piped() && self.number() != 0
    }

    fn write_own(&self) -> io::Result<()> {
        if !self.has_own_file() {
            return Ok(());
        }
        match self.status.write_run(&self.outputs.directory()) {
            // The run's directory is missing: it was not made yet, or somebody removed it. The next start makes it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            written => written,
        }
    }
}
