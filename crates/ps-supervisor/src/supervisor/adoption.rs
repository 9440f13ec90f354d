//! What a supervisor does at its start with the slots and runs that an earlier one left.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use formation::Slot;
use os_process::gather_left;

use super::{Change, Supervisor};
use crate::Error;
use crate::health::{Ending, is_check};
use crate::layout;
use crate::output::Output;
use crate::outputs::make_directory;
use crate::process::Process;
use crate::run_name::RunName;
use crate::seat::Seat;
use crate::status::STATUS_FILE;
use crate::take_over;
use crate::wakeup::Wakeup;

impl Supervisor {
    /// Opens a seat for each slot that has a status, readable or not, a run, or processes.
    #[inline(never)]
    pub(super) fn adopt(&mut self) -> Result<(), Error> {
        fs::read_dir(&self.service).map_err(|error| Error::io("read", &self.service, error))?;
        let mut found = self.runs_left();
        for slot in self.means.state.slots_left() {
            found.entry(slot).or_default();
        }
        for slot in layout::slots(&self.service) {
            if found.contains_key(&slot) {
                continue;
            }
            let directory = self.service.join(slot.to_string());
            let status = directory.join(STATUS_FILE);
            let has_left = status.symlink_metadata().is_ok()
                || !layout::numbers(&directory).is_empty()
                || (!self.means.is_clear
                    && !self.means.tree(&slot, 0, false).is_empty(None, &mut self.means.census));
            if has_left {
                found.entry(slot).or_default();
            }
        }
        for (slot, alive) in found {
            self.open_seat(&slot, &alive);
        }
        self.count_mains();
        self.gather_left();
        Ok(())
    }

    /// An earlier supervisor may have died between the start of processes and their entry into their cgroups.
    fn gather_left(&mut self) {
        if self.means.is_clear {
            return;
        }
        let runs = self.seats.values().flat_map(Seat::runs);
        let left: Vec<_> = runs.filter_map(|run| Some((run.tree(), run.process()?.pid()))).collect();
        gather_left(&left, &mut self.means.census);
    }

    /// Brings into its cgroup what was started since this was last done.
    pub(super) fn bring_inside(&mut self) {
        self.means.bring_inside();
        for (pid, reason) in std::mem::take(&mut self.means.left_outside) {
            let mut runs = self.seats.values_mut().flat_map(Seat::runs_mut);
            let run = runs.find(|run| run.process().is_some_and(|process| process.pid() == pid));
            if let Some(run) = run {
                run.fail_outside(&reason, &mut self.means);
            }
        }
    }

    /// The runs that an earlier supervisor left, by slot. They are found by their cgroups, or else by the marks of their
    /// processes, so that a slot whose directory was removed is found too, and a run that was started and not recorded.
    #[inline(never)]
    fn runs_left(&mut self) -> BTreeMap<Slot, BTreeSet<u64>> {
        let names = match &self.means.cgroups {
            Some(root) => root.names(),
            None if self.means.is_clear => Vec::new(),
            None => marked(self.means.census.processes(), &self.service),
        };
        let mut found: BTreeMap<Slot, BTreeSet<u64>> = BTreeMap::new();
        let checks = names.iter().filter(|name| is_check(name));
        let left = checks.map(|name| Ending::left(&self.service, self.means.cgroups.as_ref(), name));
        self.means.ending.extend(left);
        for name in names.iter().filter_map(|name| name.parse().ok()).filter(|name| self.is_run(name)) {
            let RunName { slot, number } = name;
            found.entry(slot).or_default().insert(number);
        }
        found
    }

    /// Whether this names a run, and not a task, such as the `release` of a deploy, which belongs to the verb that waits for it. A task has no
    /// number and no status; a run of the first format had no number either.
    fn is_run(&self, name: &RunName) -> bool {
        let has_status =
            || self.service.join(name.slot.to_string()).join(STATUS_FILE).symlink_metadata().is_ok();
        name.number > 0 || has_status()
    }

    /// Opens the seat of a slot, if it is not open. `alive` are the runs of the slot that have a cgroup or processes.
    /// Processes are adopted first; their outputs are opened when all are known, with the descriptors that are left.
    #[inline(never)]
    pub(super) fn open_seat(&mut self, slot: &Slot, alive: &BTreeSet<u64>) {
        if self.seats.contains_key(slot) {
            return;
        }
        let directory: Arc<Path> = self.service.join(slot.to_string()).into();
        let pipe = self.pipe(slot, &directory);
        let found = take_over::find(slot, &directory, alive, pipe, &mut self.means);
        // If the directory cannot be made, the seat's status says so.
        let _ = make_directory(&directory);
        let mut seat = Seat::of(slot.clone(), directory, found);
        seat.go_on_asking(&mut self.means);
        seat.runs_mut().for_each(|run| run.limit_again(&self.means));
        for run in seat.runs() {
            if let Some(pidfd) = run.process().and_then(Process::pidfd) {
                let _ = self.poll.watch(pidfd, Wakeup::Adopted(slot.clone(), run.number()));
            }
        }
        self.seats.insert(slot.clone(), seat);
    }

    /// Where the output of a slot goes if this supervisor runs in the foreground.
    fn pipe(&mut self, slot: &Slot, directory: &Path) -> Option<Output> {
        let attached = self.attached.as_mut()?;
        let has_stdin = attached.attachment.stdin.as_ref() == Some(slot);
        let made = match attached.attachment.terminals {
            Some(indent) => Output::terminal(has_stdin, indent),
            None => Output::pipe(has_stdin),
        };
        match made {
            Ok((output, reader)) => {
                attached.news.push(Change::Output { slot: slot.clone(), reader });
                Some(output)
            }
            Err(error) => {
                self.unattached = Some(Error::io("connect", directory, error));
                None
            }
        }
    }
}

/// The names of runs of this service directory in the marks of these processes.
fn marked(processes: &[os_process::Process], service: &Path) -> Vec<String> {
    let name = |process: &os_process::Process| {
        let marker = Path::new(process.marks.marker.as_deref()?);
        let is_of_it = marker.parent() == Some(service);
        marker.file_name().filter(|_| is_of_it)?.to_str().map(str::to_owned)
    };
    processes.iter().filter_map(name).collect()
}
