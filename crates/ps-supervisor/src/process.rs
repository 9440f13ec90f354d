//! The main process of an instance: started as our child, or adopted from a supervisor that died.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use formation::Slot;
use os_process::{Cgroup, ProcessId, Tree, tagged};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::command::Invocation;
use crate::descriptors::Descriptors;
use crate::entry::Entry;
use crate::marks::MARKER;
use crate::output::Output;
use crate::signals::unblocked;
use crate::spec::Spec;
use env_files::Environment;

/// The main process of an instance.
#[derive(Debug)]
pub(crate) struct Process {
    id: ProcessId,
    started: Instant,
    /// Readable once an adopted process has ended; our own children are reaped.
    adopted: Option<OwnedFd>,
}

impl Process {
    /// The process of that id, if it still lives: pid, start time and boot all match.
    pub(crate) fn adopt(id: &ProcessId) -> Option<Self> {
        let pid = Pid::from_raw(i32::try_from(id.pid).ok()?)?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        // Looked at after the pidfd is open: what it names can no longer change.
        id.is_alive().then(|| Self { id: id.clone(), started: Instant::now(), adopted: Some(pidfd) })
    }

    /// Its pid.
    pub(crate) fn pid(&self) -> u32 {
        self.id.pid
    }

    /// Its full name.
    pub(crate) fn id(&self) -> &ProcessId {
        &self.id
    }

    /// For how long it has been ours.
    pub(crate) fn lifetime(&self) -> Duration {
        self.started.elapsed()
    }

    /// What to watch to see it end, if it is not our child.
    pub(crate) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.adopted.as_ref().map(AsFd::as_fd)
    }
}

/// What a process is started with beside what its spec says.
#[derive(Debug)]
pub(crate) struct Given<'a> {
    /// The tree that it founds.
    pub(crate) tree: &'a Tree,
    /// Its variables.
    pub(crate) environment: &'a Environment,
    /// Its input and its output.
    pub(crate) output: &'a Output,
    /// How many descriptors it may have.
    pub(crate) descriptors: Descriptors,
}

/// Starts the process of a slot; an error says why, for people.
pub(crate) fn spawn(spec: &Spec, slot: &Slot, given: &Given<'_>) -> Result<Process, String> {
    let Given { tree, environment, output, descriptors } = *given;
    let wanted = spec.process(&slot.process_type);
    let wanted = wanted.ok_or_else(|| format!("{} has no command for {}", spec.app, slot.process_type))?;
    let invocation = Invocation::of(&wanted.command, environment)?;
    if let Some(cgroup) = tree.cgroup() {
        cgroup.make().map_err(|error| format!("make the cgroup of {slot}: {error}"))?;
    }
    let joining_file = tree.cgroup().map(Cgroup::joining_file);
    let entry = Entry { joining: joining_file.as_deref(), open_files: descriptors.inherited };
    let mut command = invocation.command(entry);
    command.env_clear().envs(environment.iter()).env(MARKER, tree.marker()).current_dir(&spec.directory);
    output.connect(&mut command).map_err(|error| format!("open output of {slot}: {error}"))?;
    let child = tagged(tree.tag(), || unblocked(|| command.spawn()));
    let child = child.map_err(|error| format!("start {slot} in {}: {error}", spec.directory.display()))?;
    // A child that ended at once is a zombie until we reap it: its name is gone, its pid is not.
    let pid = child.id();
    let id = ProcessId::of(pid).unwrap_or(ProcessId { pid, start_time: 0, boot_id: String::new() });
    Ok(Process { id, started: Instant::now(), adopted: None })
}
