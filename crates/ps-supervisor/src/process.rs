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
    /// When it was started, since boot.
    started: Duration,
    /// A pidfd, if the process was adopted. Our own children are reaped instead.
    adopted: Option<OwnedFd>,
}

impl Process {
    /// The child with that pid, which was just started; `started` is since boot.
    pub(crate) fn child(pid: u32, started: Duration) -> Self {
        // If it has exited already, it is a zombie until we reap it: /proc still has its pid, but no name.
        let id = ProcessId::of(pid)
            .unwrap_or_else(|| ProcessId { boot_id: String::new(), ..ProcessId::born_now(pid) });
        Self { id, started, adopted: None }
    }

    /// Adopts the process with that identity, if it still lives: pid, start time and boot must all match. It is our own
    /// child if an earlier build of this supervisor, in this very process, started it.
    pub(crate) fn adopt(id: &ProcessId) -> Option<Self> {
        let pid = Pid::from_raw(i32::try_from(id.pid).ok()?)?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        // The process is compared after its pidfd is open, so the pidfd cannot name another one.
        let stat = id.stat()?;
        let adopted = Some(pidfd).filter(|_| stat.parent != std::process::id());
        Some(Self { id: id.clone(), started: since_boot().saturating_sub(id.age()), adopted })
    }

    /// How the process ended, if it is an unreaped child of this process.
    pub(crate) fn exit_of_child(id: &ProcessId) -> Option<Exit> {
        let pid = Pid::from_raw(i32::try_from(id.pid).ok()?).filter(|_| id.is_of_this_boot())?;
        let (_, status) = waitpid(Some(pid), WaitOptions::NOHANG).ok()??;
        exit_of(status)
    }

    /// Its pid.
    pub(crate) fn pid(&self) -> u32 {
        self.id.pid
    }

    /// Its identity: pid, start time and boot.
    pub(crate) fn id(&self) -> &ProcessId {
        &self.id
    }

    /// For how long it has lived.
    pub(crate) fn lifetime(&self) -> Duration {
        since_boot().saturating_sub(self.started)
    }

    /// The same run with another main process, which need not be a child of this process.
    pub(crate) fn become_main(self, id: &ProcessId) -> Result<Self, Self> {
        match Self::adopt(id) {
            Some(process) => Ok(Self { started: self.started, ..process }),
            None => Err(self),
        }
    }

    /// The descriptor that reports the end of a process that is not a child of this process.
    pub(crate) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.adopted.as_ref().map(AsFd::as_fd)
    }
}

/// How a process ended.
pub(crate) fn exit_of(status: WaitStatus) -> Option<Exit> {
    status.exit_status().map(Exit::Code).or_else(|| status.terminating_signal().map(Exit::Signal))
}
