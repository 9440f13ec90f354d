//! The main process of an instance: started as our child, or adopted from a supervisor that died.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use formation::Exit;
use os_process::{ProcessId, since_boot};
use rustix::process::{Pid, PidfdFlags, WaitOptions, WaitStatus, pidfd_open, waitpid};

/// The main process of an instance.
#[derive(Debug)]
pub(crate) struct Process {
    id: ProcessId,
    /// When its life began, since boot.
    started: Duration,
    /// Readable once an adopted process has ended; our own children are reaped.
    adopted: Option<OwnedFd>,
}

impl Process {
    /// Our child of that pid, which was just started.
    pub(crate) fn child(pid: u32) -> Self {
        // One that ended at once is a zombie until we reap it: its name is gone, its pid is not.
        let id = ProcessId::of(pid)
            .unwrap_or_else(|| ProcessId { boot_id: String::new(), ..ProcessId::born_now(pid) });
        Self { id, started: since_boot(), adopted: None }
    }

    /// The process of that id, if it still lives: pid, start time and boot all match. It is our child if we have become another
    /// program since we started it.
    pub(crate) fn adopt(id: &ProcessId) -> Option<Self> {
        let pid = Pid::from_raw(i32::try_from(id.pid).ok()?)?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        // Looked at after the pidfd is open: what it names can no longer change.
        let stat = id.stat()?;
        let adopted = Some(pidfd).filter(|_| stat.parent != std::process::id());
        Some(Self { id: id.clone(), started: since_boot().saturating_sub(id.age()), adopted })
    }

    /// How the process of that id ended, if it was our child and nobody has asked yet.
    pub(crate) fn exit_of_child(id: &ProcessId) -> Option<Exit> {
        let pid = Pid::from_raw(i32::try_from(id.pid).ok()?).filter(|_| id.is_of_this_boot())?;
        let (_, status) = waitpid(Some(pid), WaitOptions::NOHANG).ok()??;
        exit_of(status)
    }

    /// Its pid.
    pub(crate) fn pid(&self) -> u32 {
        self.id.pid
    }

    /// Its full name.
    pub(crate) fn id(&self) -> &ProcessId {
        &self.id
    }

    /// For how long it has lived.
    pub(crate) fn lifetime(&self) -> Duration {
        since_boot().saturating_sub(self.started)
    }

    /// The same life, whose main process is another one now: it may be no child of ours.
    pub(crate) fn become_main(self, id: &ProcessId) -> Result<Self, Self> {
        match Self::adopt(id) {
            Some(process) => Ok(Self { started: self.started, ..process }),
            None => Err(self),
        }
    }

    /// What to watch to see it end, if it is not our child.
    pub(crate) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.adopted.as_ref().map(AsFd::as_fd)
    }
}

/// How a process ended.
pub(crate) fn exit_of(status: WaitStatus) -> Option<Exit> {
    status.exit_status().map(Exit::Code).or_else(|| status.terminating_signal().map(Exit::Signal))
}
